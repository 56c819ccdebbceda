"""Why a learner is unmatched in the best plan, and the smallest change that would give it a mentor."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Residual
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Unmatched
from services.matching.rules.inputs.profile import Profile, Skill
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.scoring.pair_score import Excluded, score_pair
from services.matching.rules.scoring.reasons import teachable

MAX_MENTORS_TRIED = 20
"""Mentors for whom one more slot is tried."""
MAX_EXPLAINED = 500
"""Learners that are explained, and mentors that are examined for each."""

_Cause = Literal["rules", "no-places", "competition", "nothing-to-learn"]


class _Learner(NamedTuple):
    """An unmatched learner: its cluster number, profile and capacity."""

    number: int
    profile: Profile
    capacity: int

    def unmatched(self, cause: _Cause, reason: str, remedy: str) -> Unmatched:
        return Unmatched(
            learner_id=self.profile.id, places=self.capacity, used=0, cause=cause, reason=reason, remedy=remedy
        )


def unmatched_learners(
    plan_input: PlanInput, problem: AssignmentProblem, residual: Residual | None, pairs: Sequence[PairKey]
) -> tuple[Unmatched, ...]:
    """Each learner with a free slot that has no mentor in the plan.

    Args:
        plan_input: of the plan.
        problem: of the plan.
        residual: of the plan's solution; None if it has several stages.
        pairs: of the plan.
    """
    matched = {pair.learner_id for pair in pairs}
    slots = problem.network.learner_slots
    learners = [
        _Learner(number, cluster, plan_input.criteria.capacity_of(cluster, "learner"))
        for number, cluster in enumerate(plan_input.clusters)
        if slots[number] > 0 and cluster.id not in matched
    ]
    return tuple(_explain(plan_input, problem, residual, learner) for learner in learners[:MAX_EXPLAINED])


def _explain(
    plan_input: PlanInput, problem: AssignmentProblem, residual: Residual | None, learner: _Learner
) -> Unmatched:
    arcs = np.flatnonzero(problem.network.learner == learner.number)
    if len(arcs):
        return _outbid(plan_input, problem, residual, learner, arcs)
    others = [cluster for cluster in plan_input.clusters if cluster.id != learner.profile.id]
    with_capacity = [cluster for cluster in others if plan_input.criteria.capacity_of(cluster, "mentor")]
    mentors = (with_capacity or others)[:MAX_EXPLAINED]
    results = [score_pair(problem.features, mentor.id, learner.profile.id) for mentor in mentors]
    exclusions = [result for result in results if isinstance(result, Excluded)]
    if len(exclusions) < len(results):
        possible = [mentor for mentor, result in zip(mentors, results, strict=True) if not isinstance(result, Excluded)]
        return _without_slots(plan_input, learner, possible)
    return _excluded(learner, exclusions)


def _excluded(learner: _Learner, exclusions: Sequence[Excluded]) -> Unmatched:
    name = learner.profile.name
    if not learner.profile.gaps and not learner.profile.requests:
        reason = f"{name} has no target above its levels and no open request, so nobody can teach it anything."
        return learner.unmatched("nothing-to-learn", reason, f"{name} sets a target or asks for something.")
    if not exclusions:
        return learner.unmatched("no-places", "There is no other cluster.", "Another cluster joins.")
    rule, count = Counter(exclusion.rule for exclusion in exclusions).most_common(1)[0]
    example = next(exclusion.reason for exclusion in exclusions if exclusion.rule == rule)
    reason = f"No mentor is possible for {name}. For {count} of {len(exclusions)} the reason is like this: {example}"
    remedy = "The nearest is to change that, or to lift the rule for this pair."
    return learner.unmatched("nothing-to-learn" if rule == "teaches" else "rules", reason, remedy)


def _without_slots(plan_input: PlanInput, learner: _Learner, possible: Sequence[Profile]) -> Unmatched:
    name = learner.profile.name
    with_capacity = [mentor for mentor in possible if plan_input.criteria.capacity_of(mentor, "mentor") > 0]
    first = (with_capacity or possible)[0].name
    teach = "Only one cluster" if len(possible) == 1 else f"{len(possible)} clusters"
    if with_capacity:
        reason = f"{teach} could teach {name}, and pairs that stay take all places for learners there."
    else:
        reason = f"{teach} could teach {name}, and there is no place for a learner there."
    return learner.unmatched("no-places", reason, f"One more place with {first} would do.")


def _outbid(
    plan_input: PlanInput,
    problem: AssignmentProblem,
    residual: Residual | None,
    learner: _Learner,
    arcs: NDArray[np.intp],
) -> Unmatched:
    """Of a learner whose possible pairs are all worth less than those of others."""
    network, names = problem.network, [cluster.name for cluster in plan_input.clusters]
    if (network.value[arcs] <= 0).all():
        return learner.unmatched("competition", *_reserved(plan_input, problem, learner, arcs))
    best_first = sorted(arcs, key=lambda arc: (-network.value[arc], arc))
    first = names[network.mentor[best_first[0]]]
    reason = f"Others gain more by the places with mentors that suit {learner.profile.name}, {first} first of all."
    remedy = f"One more place with {first}, kept for it, would do."
    if residual is not None:
        for arc in best_first[:MAX_MENTORS_TRIED]:
            change = residual.one_more_mentor_slot(int(network.mentor[arc]))
            if any(network.learner[added] == learner.number for added in change.added):
                remedy = f"One more place with {names[network.mentor[arc]]} would give it a mentor."
                break
    return learner.unmatched("competition", reason, remedy)


def _reserved(
    plan_input: PlanInput, problem: AssignmentProblem, learner: _Learner, arcs: NDArray[np.intp]
) -> tuple[str, str]:
    """Reason and remedy if all mentors' slots are reserved for later arrivals."""
    best = max(arcs, key=lambda arc: (problem.score[arc], -arc))
    mentor = plan_input.clusters[problem.network.mentor[best]]
    weights: Counter[Skill] = Counter()
    for other in plan_input.clusters:
        if other.id not in {learner.profile.id, mentor.id}:
            gains = teachable(mentor, other)
            weights.update({skill: gain * other.gaps[skill][1] for skill, gain in gains.items()})
    skill = max(sorted(weights), key=weights.__getitem__, default=None)
    larger = "with a larger need" if skill is None else f"with a larger need in {skill.indicator}"
    within = f"expected within {plan_input.criteria.reserve.days} days"
    reason = (
        f"The place with {mentor.name} is kept for a learner {larger}, {within}; {learner.profile.name} needs less."
    )
    return reason, "Switch the reserve off, or add places."
