"""The alternatives to a learner's mentors: other mentors (alternates), and what another pair would cost."""

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
from shared.wording import counted

ALTERNATES = 3
MAX_SOLVED = 12
"""Other mentors that are tried where each needs a solve of its own."""


class _SolvedPlan(NamedTuple):
    """A plan input with its solution; `residual` is None if the solution has several stages."""

    plan_input: PlanInput
    problem: AssignmentProblem
    solution: Solution
    residual: Residual | None

    def name(self, id: UUID) -> str:
        return next(cluster.name for cluster in self.plan_input.clusters if cluster.id == id)


class _Forcing(NamedTuple):
    """The value that the plan loses if it has to contain a pair, and the effect on learners."""

    loss: int
    effect: PlanEffect


def explain(plan_input: PlanInput, learner_id: UUID, mentor_id: UUID | None = None) -> Explanation:
    """The learner's alternates, the cheapest for the whole plan first; of one mentor also the counterfactual.

    Raises:
        KeyError: a cluster is not in the plan input.
    """
    clusters = {cluster.id: cluster for cluster in plan_input.clusters}
    learner = clusters[learner_id]
    plan = _solve(plan_input)
    explanation = Explanation(learner_id=learner_id, alternates=tuple(_alternates(plan, learner)))
    if mentor_id is None:
        return explanation
    return explanation.model_copy(update={"counterfactual": _counterfactual(plan, clusters[mentor_id], learner)})


def _solve(plan_input: PlanInput) -> _SolvedPlan:
    problem = assignment_problem(plan_input)
    solution = solve_objective(problem.network, problem.score, plan_input.criteria.objective, NEVER_STOP)
    residual = Residual(solution.stages[0]) if len(solution.stages) == 1 else None
    return _SolvedPlan(plan_input, problem, solution, residual)


def _alternates(plan: _SolvedPlan, learner: Profile) -> Iterator[Alternate]:
    """The three others that cost least; the reduced value of a pair is a lower bound of its cost."""
    problem = plan.problem
    tried: list[tuple[int, int, int, PlanEffect]] = []
    for lower_bound, arc in _others(plan, problem.cluster_ids.index(learner.id)):
        if len(tried) >= ALTERNATES and lower_bound > tried[ALTERNATES - 1][0]:
            break
        forcing = _force(plan, arc)
        if forcing is not None:
            tried.append((forcing.loss, -int(problem.score[arc]), arc, forcing.effect))
            tried.sort(key=lambda entry: entry[:3])
    for _, _, arc, effect in tried[:ALTERNATES]:
        yield Alternate(
            mentor_id=problem.pair_key(arc).mentor_id,
            score=int(problem.score[arc]),
            cost=-effect.score,
            fewer_pairs=-effect.pairs,
            loser_id=effect.loser_id,
            reason=_cost_text(plan, problem.pair_key(arc), effect),
        )


def _others(plan: _SolvedPlan, learner: int) -> list[tuple[int, int]]:
    """Lower bound of the cost and arc of each pair of the learner that is not in the plan, the cheapest first."""
    problem, stage = plan.problem, plan.solution.stages[-1]
    arcs = np.flatnonzero((problem.network.learner == learner) & ~plan.solution.taken)
    if plan.residual is None:
        best_first = arcs[np.argsort(-problem.score[arcs], kind="stable")][:MAX_SOLVED]
        return [(0, int(arc)) for arc in best_first]
    prices = stage.mentor_price[problem.network.mentor[arcs]] + stage.learner_price[learner]
    lower_bounds = prices - stage.problem.value[arcs]
    return sorted(zip(lower_bounds.tolist(), arcs.tolist(), strict=True))


def _force(plan: _SolvedPlan, arc: int) -> _Forcing | None:
    """The effect of forcing a pair; None if no plan can contain it."""
    if plan.residual is None:
        return _force_by_solving(plan, arc)
    change = plan.residual.forced(arc)
    if change is None:
        return None
    return _Forcing(-change.gain, effect_of(plan.problem, change, plan.solution.taken))


def _force_by_solving(plan: _SolvedPlan, arc: int) -> _Forcing:
    """The effect of forcing a pair on a plan of several stages, by solving it with the pair forced."""
    problem = plan.problem
    forced = replace(plan.plan_input, forced=(*plan.plan_input.forced, problem.pair_key(arc)))
    other = assignment_problem(forced)
    solution = solve_objective(other.network, other.score, forced.criteria.objective, NEVER_STOP)
    before, after = _sums(problem, plan.solution), _sums(other, solution)
    after[problem.network.learner[arc]] += problem.score[arc]
    deltas = tuple(
        LearnerDelta(cluster_id=problem.cluster_ids[number], before=int(before[number]), after=int(after[number]))
        for number in np.flatnonzero(before != after)
    )
    pairs = 1 + int(solution.taken.sum()) - int(plan.solution.taken.sum())
    effect = PlanEffect(int(after.sum() - before.sum()), pairs, deltas)
    return _Forcing(-effect.score, effect)


def _sums(problem: AssignmentProblem, solution: Solution) -> NDArray[np.int64]:
    """The sum of the scores of each learner's taken pairs, by cluster number."""
    sums = np.zeros(len(problem.cluster_ids), dtype=np.int64)
    np.add.at(sums, problem.network.learner[solution.taken], problem.score[solution.taken])
    return sums


def _counterfactual(plan: _SolvedPlan, mentor: Profile, learner: Profile) -> Counterfactual:
    problem, pair = plan.problem, PairKey(mentor.id, learner.id)
    result = score_pair(problem.features, mentor.id, learner.id)
    if isinstance(result, Excluded):
        return _impossible(pair, 0, result.reason)
    score, unchanged = result.total, _Forcing(0, PlanEffect(0, 0, ()))
    arc = problem.arc(pair)
    if arc is None:
        if pair in problem.decided:
            return _possible(pair, score, unchanged, "The pair is in the plan already, and stays.")
        return _impossible(pair, score, f"{mentor.name} or {learner.name} has no free place.")
    if plan.solution.taken[arc]:
        return _possible(pair, score, unchanged, "The pair is in the plan.")
    forcing = _force(plan, arc)
    if forcing is None:
        return _impossible(pair, score, "No plan has this pair.")
    return _possible(pair, score, forcing, _cost_text(plan, pair, forcing.effect))


def _impossible(pair: PairKey, score: int, reason: str) -> Counterfactual:
    return Counterfactual(
        mentor_id=pair.mentor_id,
        learner_id=pair.learner_id,
        possible=False,
        score=score,
        missing=0,
        cost=0,
        fewer_pairs=0,
        losers=(),
        reason=reason,
    )


def _possible(pair: PairKey, score: int, forcing: _Forcing, reason: str) -> Counterfactual:
    effect = forcing.effect
    return Counterfactual(
        mentor_id=pair.mentor_id,
        learner_id=pair.learner_id,
        possible=True,
        score=score,
        missing=forcing.loss,
        cost=-effect.score,
        fewer_pairs=-effect.pairs,
        losers=tuple(delta for delta in effect.deltas if delta.after < delta.before),
        reason=reason,
    )


def _cost_text(plan: _SolvedPlan, pair: PairKey, effect: PlanEffect) -> str:
    mentor, learner = plan.name(pair.mentor_id), plan.name(pair.learner_id)
    cost = f"{-effect.score / 100:.2f} points of the whole plan"
    fewer = f" and {counted(-effect.pairs, 'fewer pair')}" if effect.pairs < 0 else ""
    if effect.score == 0 and not fewer:
        return f"{mentor} would do as well: the plan would be worth the same."
    text = f"With {mentor} for {learner} instead, it costs {cost}{fewer}."
    losers = [delta for delta in effect.deltas if delta.after < delta.before and delta.cluster_id != pair.learner_id]
    if not losers:
        return text
    worst = min(losers, key=lambda delta: (delta.after - delta.before, delta.cluster_id))
    return f"{text} {plan.name(worst.cluster_id)} would lose most: {(worst.before - worst.after) / 100:.2f} points."
