"""Why a learner has the mentors it has, who else there is, and what another pair would cost the whole plan."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER, Residual
from services.matching.rules.explaining.shadow_prices import Effect, effect
from services.matching.rules.inputs.plan_input import Question, Two
from services.matching.rules.inputs.plan_models import Alternate, Counterfactual, Explanation, Shift
from services.matching.rules.inputs.profile import Profile
from services.matching.rules.planning.assignment_problem import Board, board
from services.matching.rules.planning.objectives import Best, best
from services.matching.rules.scoring.pair_score import Excluded, score

ALTERNATES = 3
LOOKED_AT = 12
"""How many other mentors are tried, where each takes a plan of its own."""


class _Solved(NamedTuple):
    """A question with its answer in numbers; `residual` where the plan was found in one stage."""

    question: Question
    laid: Board
    found: Best
    residual: Residual | None

    def name(self, id: UUID) -> str:
        return next(one.name for one in self.question.clusters if one.id == id)


def _solved(question: Question) -> _Solved:
    laid = board(question)
    found = best(laid.problem, laid.score, question.criteria.objective, NEVER)
    return _Solved(question, laid, found, Residual(found.stages[0]) if len(found.stages) == 1 else None)


def explain(question: Question, learner_id: UUID, mentor_id: UUID | None = None) -> Explanation:
    """The learner's alternates, the cheapest for the whole plan first; of one mentor also what it would take.

    Raises:
        KeyError: a cluster is not in the question.
    """
    known = {one.id: one for one in question.clusters}
    learner = known[learner_id]
    solved = _solved(question)
    told = Explanation(learner_id=learner_id, alternates=tuple(_alternates(solved, learner)))
    if mentor_id is None:
        return told
    return told.model_copy(update={"counterfactual": _counterfactual(solved, known[mentor_id], learner)})


def _alternates(solved: _Solved, learner: Profile) -> Iterator[Alternate]:
    """The three others that cost least. What a pair is worth less than its places is the least that it can cost."""
    laid = solved.laid
    tried: list[tuple[int, int, int, Effect]] = []
    for floor, arc in _others(solved, laid.ids.index(learner.id)):
        if len(tried) >= ALTERNATES and floor > tried[ALTERNATES - 1][0]:
            break
        forcing = _forcing(solved, arc)
        if forcing is not None:
            tried.append((forcing[0], -int(laid.score[arc]), arc, forcing[1]))
            tried.sort(key=lambda one: one[:3])
    for _, _, arc, changed in tried[:ALTERNATES]:
        yield Alternate(
            mentor_id=laid.two(arc).mentor_id,
            score=int(laid.score[arc]),
            cost=-changed.score,
            fewer_pairs=-changed.pairs,
            loser_id=changed.loser_id,
            reason=_cost_in_words(solved, laid.two(arc), changed),
        )


def _others(solved: _Solved, learner: int) -> list[tuple[int, int]]:
    """The learner's pairs that the plan has not, with the least that each can cost, the cheapest first."""
    laid, stage = solved.laid, solved.found.stages[-1]
    arcs = np.flatnonzero((laid.problem.learner == learner) & ~solved.found.taken)
    if solved.residual is None:
        best_first = arcs[np.argsort(-laid.score[arcs], kind="stable")][:LOOKED_AT]
        return [(0, int(arc)) for arc in best_first]
    worth = stage.problem.worth[arcs]
    floors = stage.mentor_price[laid.problem.mentor[arcs]] + stage.learner_price[learner] - worth
    return sorted(zip(floors.tolist(), arcs.tolist(), strict=True))


def _forcing(solved: _Solved, arc: int) -> tuple[int, Effect] | None:
    """What the plan's worth loses by a pair that it has to have, and what that means to people; None if it cannot."""
    if solved.residual is None:
        return _by_solving(solved, arc)
    change = solved.residual.forced(arc)
    return None if change is None else (-change.gain, effect(solved.laid, change, solved.found.taken))


def _by_solving(solved: _Solved, arc: int) -> tuple[int, Effect]:
    """The same for plans of several stages, by planning anew with the pair forced."""
    two, laid = solved.laid.two(arc), solved.laid
    other = replace(solved.question, forced=(*solved.question.forced, two))
    anew = board(other)
    found = best(anew.problem, anew.score, other.criteria.objective, NEVER)
    had, has = _sums(laid, solved.found), _sums(anew, found)
    has[laid.problem.learner[arc]] += laid.score[arc]
    changed = [
        Shift(cluster_id=laid.ids[one], before=int(had[one]), after=int(has[one])) for one in np.flatnonzero(had != has)
    ]
    pairs = 1 + int(found.taken.sum()) - int(solved.found.taken.sum())
    gained = Effect(int(has.sum() - had.sum()), pairs, tuple(changed))
    return -gained.score, gained


def _sums(laid: Board, found: Best) -> NDArray[np.int64]:
    """What each learner's chosen pairs add up to."""
    sums = np.zeros(len(laid.ids), dtype=np.int64)
    np.add.at(sums, laid.problem.learner[found.taken], laid.score[found.taken])
    return sums


def _counterfactual(solved: _Solved, mentor: Profile, learner: Profile) -> Counterfactual:
    laid = solved.laid
    two = Two(mentor.id, learner.id)
    given = score(laid.table, mentor.id, learner.id)
    if isinstance(given, Excluded):
        return _impossible(two, 0, given.reason)
    arc = laid.arc(two)
    if arc is None:
        if two in laid.settled:
            return _counted(two, given.total, 0, Effect(0, 0, ()), "The pair is in the plan already, and stays.")
        return _impossible(two, given.total, f"{mentor.name} or {learner.name} has no free place.")
    if solved.found.taken[arc]:
        return _counted(two, given.total, 0, Effect(0, 0, ()), "The pair is in the plan.")
    forcing = _forcing(solved, arc)
    if forcing is None:
        return _impossible(two, given.total, "No plan has this pair.")
    return _counted(two, given.total, forcing[0], forcing[1], _cost_in_words(solved, two, forcing[1]))


def _impossible(two: Two, points: int, reason: str) -> Counterfactual:
    return Counterfactual(
        mentor_id=two.mentor_id,
        learner_id=two.learner_id,
        possible=False,
        score=points,
        missing=0,
        cost=0,
        fewer_pairs=0,
        losers=(),
        reason=reason,
    )


def _counted(two: Two, points: int, missing: int, changed: Effect, reason: str) -> Counterfactual:
    return Counterfactual(
        mentor_id=two.mentor_id,
        learner_id=two.learner_id,
        possible=True,
        score=points,
        missing=missing,
        cost=-changed.score,
        fewer_pairs=-changed.pairs,
        losers=tuple(one for one in changed.shifts if one.after < one.before),
        reason=reason,
    )


def _cost_in_words(solved: _Solved, two: Two, changed: Effect) -> str:
    mentor, learner = solved.name(two.mentor_id), solved.name(two.learner_id)
    cost = f"{-changed.score / 100:.2f} points of the whole plan"
    fewer = f" and {-changed.pairs} fewer {'pair' if changed.pairs == -1 else 'pairs'}" if changed.pairs < 0 else ""
    if changed.score == 0 and not fewer:
        return f"{mentor} would do as well: the plan would be worth the same."
    said = f"With {mentor} for {learner} instead, it costs {cost}{fewer}."
    losers = [one for one in changed.shifts if one.after < one.before and one.cluster_id != two.learner_id]
    if not losers:
        return said
    worst: Shift = min(losers, key=lambda one: (one.after - one.before, one.cluster_id))
    return f"{said} {solved.name(worst.cluster_id)} would lose most: {(worst.before - worst.after) / 100:.2f} points."
