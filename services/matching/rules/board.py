"""A question in numbers: what the solver decides on, and what is decided already.

Clusters are numbered in the order of the question, which is that of their ids; both sides of a pair count alike.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.criteria import Side
from services.matching.rules.engine import Places, Problem
from services.matching.rules.question import Question, Two
from services.matching.rules.reserve import reserve_prices
from services.matching.rules.score import Worths, worths
from services.matching.rules.table import Table

TOP = 50
"""Of how many mentors for each learner a plan chooses where there are too many pairs to look at all."""
MANY = 2_000_000
"""Pairs from which on there are too many."""


class Board(NamedTuple):
    """What is open and what is decided.

    `problem` has the open pairs with their places; its `worth` is the score and what speaks for or against the pair.
    `settled` pairs (kept or forced) have their places already. `cut` is, for each learner, the best score among the
    pairs that are not looked at.
    """

    table: Table
    ids: tuple[UUID, ...]
    problem: Problem
    score: NDArray[np.int64]
    settled: tuple[Two, ...]
    proposed: NDArray[np.bool_]
    reserved: NDArray[np.int64]
    cut: NDArray[np.int64]

    def two(self, arc: int) -> Two:
        """The clusters of an open pair."""
        return Two(self.ids[self.problem.mentor[arc]], self.ids[self.problem.learner[arc]])

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
    table = question.table
    found = _worths(table)
    price = question.criteria.move_price
    away = _keys({*settled, *question.forbidden, *(question.proposed if price is None else ())}, number)
    there = (mentors[found.mentor] > 0) & (learners[found.learner] > 0)
    there &= ~np.isin(_key(found.mentor, found.learner, len(ids)), away)
    mentor, learner, score = found.mentor[there], found.learner[there], found.score[there]
    proposed = np.isin(_key(mentor, learner, len(ids)), _keys(question.proposed, number))
    least = _least(question, "mentor", settled, mentors), _least(question, "learner", settled, learners)
    problem = Problem(mentor, learner, score, mentors, learners, *least)
    reserved = reserve_prices(question, problem, found)
    worth = score - reserved[mentor] + (price or 0) * proposed
    return Board(table, ids, problem._replace(worth=worth), score, settled, proposed, reserved, found.cut)


def _worths(table: Table) -> Worths:
    return worths(table, TOP if len(table.profiles) ** 2 > MANY else None)


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
