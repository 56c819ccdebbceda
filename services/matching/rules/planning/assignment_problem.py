"""A question in numbers: what the solver decides on, and what is decided already.

Clusters are numbered in the order of the question, which is that of their ids; both sides of a pair count alike.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Places, Problem, Solved
from services.matching.rules.inputs.criteria import Side
from services.matching.rules.inputs.plan_input import Question, Two
from services.matching.rules.planning.reserve import reserve_prices
from services.matching.rules.scoring.candidates import Worths, worths
from services.matching.rules.scoring.features import Table

TOP = 50
"""Of how many mentors for each learner a plan chooses where there are too many pairs to look at all."""
MANY = 2_000_000
"""Pairs from which on there are too many."""
NEARLY = 200
"""Pairs that are worth less than their ends by no more than so many hundredths are added too: prices move."""
AT_ONCE = 256
"""Learners whose pairs are all looked at together."""


class Board(NamedTuple):
    """What is open and what is decided.

    `problem` has the open pairs with their places; its `worth` is the score and what speaks for or against the pair.
    `settled` pairs (kept or forced) have their places already. `cut` is, for each learner, the best score among the
    pairs that are not looked at. `away` and `proposals` are pairs by their key: those that are not open, and the open
    proposals, for each of which a plan has to gain the `price` if it drops it.
    """

    table: Table
    ids: tuple[UUID, ...]
    problem: Problem
    score: NDArray[np.int64]
    settled: tuple[Two, ...]
    proposed: NDArray[np.bool_]
    reserved: NDArray[np.int64]
    cut: NDArray[np.int64]
    away: NDArray[np.int64]
    proposals: NDArray[np.int64]
    price: int

    def two(self, arc: int) -> Two:
        """The clusters of an open pair."""
        return Two(self.ids[self.problem.mentor[arc]], self.ids[self.problem.learner[arc]])

    @property
    def standing(self) -> list[Two]:
        """The settled pairs whose clusters are there."""
        return [two for two in self.settled if set(two) <= self.table.number.keys()]

    def arc(self, two: Two) -> int | None:
        """The open pair of two clusters."""
        mentor, learner = self.table.number[two.mentor_id], self.table.number[two.learner_id]
        found = np.flatnonzero((self.problem.mentor == mentor) & (self.problem.learner == learner)).tolist()
        return found[0] if found else None


def board(question: Question) -> Board:
    """Put a question on the board."""
    ids = tuple(one.id for one in question.clusters)
    number = {id: place for place, id in enumerate(ids)}
    settled = tuple(sorted({*question.kept, *question.forced}))
    mentors, learners = _free(question, "mentor", settled), _free(question, "learner", settled)
    least = _least(question, "mentor", settled, mentors), _least(question, "learner", settled, learners)
    price = question.criteria.move_price
    beside = question.proposed if price is None else ()
    none = np.zeros(0, dtype=np.int64)
    laid = Board(
        table=question.table,
        ids=ids,
        problem=Problem(none.astype(np.int32), none.astype(np.int32), none, mentors, learners, *least),
        score=none,
        settled=settled,
        proposed=none.astype(np.bool_),
        reserved=np.zeros(len(ids), dtype=np.int64),
        cut=none,
        away=_keys({*settled, *question.asked, *question.forbidden, *beside}, number),
        proposals=_keys(question.proposed, number),
        price=price or 0,
    )
    known = worths(laid.table, TOP if len(ids) ** 2 > MANY else None, mentors=mentors > 0)
    laid = _opened(laid, known)._replace(cut=known.cut)
    laid = _opened(laid, _left_out(laid, laid.proposals % max(len(ids), 1), _is_proposed)) if known.cut.any() else laid
    return _priced(laid._replace(reserved=reserve_prices(question, laid.problem, known)))


def widened(laid: Board, solved: Solved) -> Board | None:
    """The board with pairs that were not looked at and are worth more than their ends, by the proof of a plan.

    None if there are none: then the proof is one for all pairs, and the plan the best of all.
    """
    prices = solved.mentor_price[laid.problem.mentor_places > 0]
    if not len(prices):
        return None
    worth = laid.cut + _lifted(laid, solved) - solved.learner_price - prices.min()
    learners = np.flatnonzero((laid.problem.learner_places > 0) & (laid.cut > 0) & (worth > 0))
    more = _left_out(laid, learners, lambda laid, pairs: _over(laid, solved, pairs) > -NEARLY)
    return _opened(laid, more) if (_over(laid, solved, more) > 0).any() else None


def _lifted(laid: Board, solved: Solved) -> int:
    """What the objective adds to the worth of each pair alike."""
    return int((solved.problem.worth - laid.problem.worth).max(initial=0))


def _over(laid: Board, solved: Solved, pairs: Worths) -> NDArray[np.int64]:
    """What pairs are worth more than their ends."""
    ends = solved.mentor_price[pairs.mentor] + solved.learner_price[pairs.learner]
    return np.asarray(pairs.score + _lifted(laid, solved) - laid.reserved[pairs.mentor] - ends)


def _is_proposed(laid: Board, pairs: Worths) -> NDArray[np.bool_]:
    return np.isin(_key(pairs.mentor, pairs.learner, len(laid.ids)), laid.proposals)


def _left_out(laid: Board, learners: NDArray[np.int64], wanted: Callable[[Board, Worths], NDArray[np.bool_]]) -> Worths:
    """Pairs of some learners that are not on the board and are wanted."""
    numbers, mentors = np.unique(learners), laid.problem.mentor_places > 0
    none, ends = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    found = [Worths(ends, ends, none, none)]
    for begin in range(0, len(numbers), AT_ONCE):
        some = worths(laid.table, mentors=mentors, learners=numbers[begin : begin + AT_ONCE])
        found.append(_some(some, wanted(laid, some)))
    all_wanted = Worths(*map(np.concatenate, zip(*found, strict=True)))
    there = _key(laid.problem.mentor, laid.problem.learner, len(laid.ids))
    return _some(all_wanted, ~np.isin(_key(all_wanted.mentor, all_wanted.learner, len(laid.ids)), there))


def _some(pairs: Worths, which: NDArray[np.bool_]) -> Worths:
    """Some of the pairs, of which nothing is said of what is left out."""
    return Worths(pairs.mentor[which], pairs.learner[which], pairs.score[which], pairs.cut[:0])


def _opened(laid: Board, more: Worths) -> Board:
    """The board with more pairs, where they are open, in the order of learners, then mentors."""
    mentor = np.concatenate([laid.problem.mentor, more.mentor])
    learner = np.concatenate([laid.problem.learner, more.learner])
    score = np.concatenate([laid.score, more.score])
    key = _key(mentor, learner, len(laid.ids))
    there = (laid.problem.mentor_places[mentor] > 0) & (laid.problem.learner_places[learner] > 0)
    order = np.lexsort((mentor, learner))
    order = order[(there & ~np.isin(key, laid.away))[order]]
    problem = laid.problem._replace(mentor=mentor[order].astype(np.int32), learner=learner[order].astype(np.int32))
    proposed = np.isin(key[order], laid.proposals)
    return _priced(laid._replace(problem=problem, score=score[order], proposed=proposed))


def _priced(laid: Board) -> Board:
    """What each pair is worth, with what speaks for or against it."""
    worth = laid.score - laid.reserved[laid.problem.mentor] + laid.price * laid.proposed
    return laid._replace(problem=laid.problem._replace(worth=worth))


def _free(question: Question, side: Side, settled: Iterable[Two]) -> Places:
    """Places that settled pairs leave."""
    places = [question.criteria.places_of(one, side) for one in question.clusters]
    free: Places = np.maximum(np.array(places, dtype=np.int32) - _used(question, side, settled), 0)
    return free


def _least(question: Question, side: Side, settled: Iterable[Two], free: Places) -> Places:
    """What is still missing to the minimum loads, as far as there are places for it."""
    least = [question.criteria.least_of(one.id, side) for one in question.clusters]
    missing = np.array(least, dtype=np.int32) - _used(question, side, settled)
    short: Places = np.clip(missing, 0, free)
    return short


def _used(question: Question, side: Side, settled: Iterable[Two]) -> Places:
    number = {one.id: place for place, one in enumerate(question.clusters)}
    used = np.zeros(len(number), dtype=np.int32)
    for two in settled:
        place = number.get(two.mentor_id if side == "mentor" else two.learner_id)
        if place is not None:
            used[place] += 1
    return used


def _keys(pairs: Iterable[Two], number: dict[UUID, int]) -> NDArray[np.int64]:
    known = [two for two in pairs if two.mentor_id in number and two.learner_id in number]
    return np.array([number[one] * len(number) + number[other] for one, other in known], dtype=np.int64)


def _key(mentor: Places, learner: Places, count: int) -> NDArray[np.int64]:
    return mentor.astype(np.int64) * count + learner
