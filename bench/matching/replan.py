"""Replans after an event: their time and moves, compared with a plan without a move limit."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from bench.harness import Bench, Metrics, Variant, watch
from bench.matching.world import consortium
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel
from services.matching.rules.report import make_plan

SIZES = (100, 1_000, 10_000)
Change = Callable[[PlanInput, Plan], PlanInput]


def _changed(plan_input: PlanInput, *clusters: Profile) -> PlanInput:
    by_id = {cluster.id: cluster for cluster in clusters}
    return replace(plan_input, clusters=tuple(by_id.get(cluster.id, cluster) for cluster in plan_input.clusters))


def _mentor(plan_input: PlanInput, plan: Plan) -> Profile:
    return _cluster(plan_input, plan.pairs[0].mentor_id)


def _learner(plan_input: PlanInput, plan: Plan, number: int = 0) -> Profile:
    """One of seven learners, evenly spread over the plan."""
    return _cluster(plan_input, plan.pairs[number * (len(plan.pairs) // 7)].learner_id)


def _cluster(plan_input: PlanInput, id: object) -> Profile:
    return next(cluster for cluster in plan_input.clusters if cluster.id == id)


def _assessment_recorded(plan_input: PlanInput, plan: Plan) -> PlanInput:
    """A learner reaches all its targets."""
    learner = _learner(plan_input, plan)
    reached = {skill: target.level for skill, target in learner.targets.items()}
    return _changed(plan_input, replace(learner, levels=dict(learner.levels) | reached))


def _target_set(plan_input: PlanInput, plan: Plan) -> PlanInput:
    """A learner sets all its targets to the highest level and priority."""
    learner = _learner(plan_input, plan)
    return _changed(plan_input, replace(learner, targets={skill: TargetLevel(5, 5) for skill in learner.targets}))


def _capacity_changed(plan_input: PlanInput, plan: Plan) -> PlanInput:
    """A mentor has one slot less."""
    mentor = _mentor(plan_input, plan)
    return _changed(plan_input, replace(mentor, mentor_slots=mentor.mentor_slots - 1))


def _training_completed(plan_input: PlanInput, plan: Plan) -> PlanInput:
    """Six learners gain a level in every skill."""
    learners = {learner.id: learner for learner in (_learner(plan_input, plan, number) for number in range(6))}
    return _changed(plan_input, *(replace(learner, levels=_one_higher(learner)) for learner in learners.values()))


def _one_higher(cluster: Profile) -> dict[Skill, int]:
    return {skill: min(level + 1, 5) for skill, level in cluster.levels.items()}


def _cluster_archived(plan_input: PlanInput, plan: Plan) -> PlanInput:
    """A mentor leaves, and its open proposals with it."""
    mentor = _mentor(plan_input, plan)
    return replace(
        plan_input,
        clusters=tuple(cluster for cluster in plan_input.clusters if cluster is not mentor),
        open_proposals=tuple(pair for pair in plan_input.open_proposals if mentor.id not in pair),
    )


CHANGES: dict[str, Change] = {
    "assessment.recorded": _assessment_recorded,
    "target.set": _target_set,
    "capacity.changed": _capacity_changed,
    "training.completed": _training_completed,
    "cluster.archived": _cluster_archived,
}


@cache
def _published(size: int) -> tuple[PlanInput, Plan]:
    """A consortium in which every pair of the best plan is an open proposal."""
    plan_input = consortium(size)
    plan = make_plan(plan_input)
    proposals = tuple(PairKey(pair.mentor_id, pair.learner_id) for pair in plan.pairs)
    return replace(plan_input, open_proposals=proposals, criteria=plan_input.criteria.for_replan), plan


async def _replan(size: int, change: Change) -> Metrics:
    changed = change(*_published(size))
    with watch() as running:
        plan = make_plan(changed)
    free = make_plan(replace(changed, open_proposals=()))
    moved = len(set(changed.open_proposals) - {PairKey(pair.mentor_id, pair.learner_id) for pair in free.pairs})
    share = plan.total / free.total
    return {"seconds": running.seconds, "dropped": len(plan.dropped), "free": moved, "of_best": share}


def benches() -> dict[str, Bench]:
    """One for each size."""
    return {f"replan-{size}": _bench(size) for size in SIZES}


def _bench(size: int) -> Bench:
    variants: dict[str, Variant] = {name: partial(_replan, size, change) for name, change in CHANGES.items()}
    return Bench(f"a plan of {size:,} clusters after an event", variants, warm=0, at_most=1)
