"""Why a learner has the mentors it has, who else there is, and what another pair would cost the whole plan."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, Residual
from services.matching.rules.explaining.shadow_prices import PlanEffect, effect_of
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Alternate, Counterfactual, Explanation, LearnerDelta
from services.matching.rules.inputs.profile import Profile
from services.matching.rules.planning.assignment_problem import AssignmentProblem, assignment_problem
from services.matching.rules.planning.objectives import Solution, solve_objective
from services.matching.rules.scoring.pair_score import Excluded, score_pair

ALTERNATES = 3
MAX_SOLVED = 12
"""How many other mentors are tried, where each takes a plan of its own."""


class _Solved(NamedTuple):
    """A question with its answer in numbers; `residual` where the plan was found in one stage."""

    question: PlanInput
    problem: AssignmentProblem
    found: Solution
    residual: Residual | None

    def name(self, id: UUID) -> str:
        return next(one.name for one in self.question.clusters if one.id == id)


def _solved(question: PlanInput) -> _Solved:
    problem = assignment_problem(question)
    found = solve_objective(problem.network, problem.score, question.criteria.objective, NEVER_STOP)
    return _Solved(question, problem, found, Residual(found.stages[0]) if len(found.stages) == 1 else None)


def explain(question: PlanInput, learner_id: UUID, mentor_id: UUID | None = None) -> Explanation:
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
    problem = solved.problem
    tried: list[tuple[int, int, int, PlanEffect]] = []
    for floor, arc in _others(solved, problem.cluster_ids.index(learner.id)):
        if len(tried) >= ALTERNATES and floor > tried[ALTERNATES - 1][0]:
            break
        forcing = _forcing(solved, arc)
        if forcing is not None:
            tried.append((forcing[0], -int(problem.score[arc]), arc, forcing[1]))
            tried.sort(key=lambda one: one[:3])
    for _, _, arc, changed in tried[:ALTERNATES]:
        yield Alternate(
            mentor_id=problem.pair_key(arc).mentor_id,
            score=int(problem.score[arc]),
            cost=-changed.score,
            fewer_pairs=-changed.pairs,
            loser_id=changed.loser_id,
            reason=_cost_in_words(solved, problem.pair_key(arc), changed),
        )


def _others(solved: _Solved, learner: int) -> list[tuple[int, int]]:
    """The learner's pairs that the plan has not, with the least that each can cost, the cheapest first."""
    problem, stage = solved.problem, solved.found.stages[-1]
    arcs = np.flatnonzero((problem.network.learner == learner) & ~solved.found.taken)
    if solved.residual is None:
        best_first = arcs[np.argsort(-problem.score[arcs], kind="stable")][:MAX_SOLVED]
        return [(0, int(arc)) for arc in best_first]
    worth = stage.problem.worth[arcs]
    floors = stage.mentor_price[problem.network.mentor[arcs]] + stage.learner_price[learner] - worth
    return sorted(zip(floors.tolist(), arcs.tolist(), strict=True))


def _forcing(solved: _Solved, arc: int) -> tuple[int, PlanEffect] | None:
    """What the plan's worth loses by a pair that it has to have, and what that means to people; None if it cannot."""
    if solved.residual is None:
        return _by_solving(solved, arc)
    change = solved.residual.forced(arc)
    return None if change is None else (-change.gain, effect_of(solved.problem, change, solved.found.taken))


def _by_solving(solved: _Solved, arc: int) -> tuple[int, PlanEffect]:
    """The same for plans of several stages, by planning anew with the pair forced."""
    two, problem = solved.problem.pair_key(arc), solved.problem
    other = replace(solved.question, forced=(*solved.question.forced, two))
    anew = assignment_problem(other)
    found = solve_objective(anew.network, anew.score, other.criteria.objective, NEVER_STOP)
    had, has = _sums(problem, solved.found), _sums(anew, found)
    has[problem.network.learner[arc]] += problem.score[arc]
    changed = [
        LearnerDelta(cluster_id=problem.cluster_ids[one], before=int(had[one]), after=int(has[one]))
        for one in np.flatnonzero(had != has)
    ]
    pairs = 1 + int(found.taken.sum()) - int(solved.found.taken.sum())
    gained = PlanEffect(int(has.sum() - had.sum()), pairs, tuple(changed))
    return -gained.score, gained


def _sums(problem: AssignmentProblem, found: Solution) -> NDArray[np.int64]:
    """What each learner's chosen pairs add up to."""
    sums = np.zeros(len(problem.cluster_ids), dtype=np.int64)
    np.add.at(sums, problem.network.learner[found.taken], problem.score[found.taken])
    return sums


def _counterfactual(solved: _Solved, mentor: Profile, learner: Profile) -> Counterfactual:
    problem = solved.problem
    two = PairKey(mentor.id, learner.id)
    given = score_pair(problem.features, mentor.id, learner.id)
    if isinstance(given, Excluded):
        return _impossible(two, 0, given.reason)
    arc = problem.arc(two)
    if arc is None:
        if two in problem.decided:
            return _counted(two, given.total, 0, PlanEffect(0, 0, ()), "The pair is in the plan already, and stays.")
        return _impossible(two, given.total, f"{mentor.name} or {learner.name} has no free place.")
    if solved.found.taken[arc]:
        return _counted(two, given.total, 0, PlanEffect(0, 0, ()), "The pair is in the plan.")
    forcing = _forcing(solved, arc)
    if forcing is None:
        return _impossible(two, given.total, "No plan has this pair.")
    return _counted(two, given.total, forcing[0], forcing[1], _cost_in_words(solved, two, forcing[1]))


def _impossible(two: PairKey, points: int, reason: str) -> Counterfactual:
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


def _counted(two: PairKey, points: int, missing: int, changed: PlanEffect, reason: str) -> Counterfactual:
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


def _cost_in_words(solved: _Solved, two: PairKey, changed: PlanEffect) -> str:
    mentor, learner = solved.name(two.mentor_id), solved.name(two.learner_id)
    cost = f"{-changed.score / 100:.2f} points of the whole plan"
    fewer = f" and {-changed.pairs} fewer {'pair' if changed.pairs == -1 else 'pairs'}" if changed.pairs < 0 else ""
    if changed.score == 0 and not fewer:
        return f"{mentor} would do as well: the plan would be worth the same."
    said = f"With {mentor} for {learner} instead, it costs {cost}{fewer}."
    losers = [one for one in changed.shifts if one.after < one.before and one.cluster_id != two.learner_id]
    if not losers:
        return said
    worst: LearnerDelta = min(losers, key=lambda one: (one.after - one.before, one.cluster_id))
    return f"{said} {solved.name(worst.cluster_id)} would lose most: {(worst.before - worst.after) / 100:.2f} points."
