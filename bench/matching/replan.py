"""Plans that follow an event: how long one takes, and how little it disturbs, beside one that is free to move all."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from bench.harness import Bench, Metrics, Variant, watch
from bench.matching.world import consortium
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.rules.inputs.profile import Profile, TargetLevel
from services.matching.rules.report import make_plan

SIZES = (100, 1_000, 10_000)
Change = Callable[[PlanInput, Plan], PlanInput]


def _changed(question: PlanInput, *clusters: Profile) -> PlanInput:
    by_id = {one.id: one for one in clusters}
    return replace(question, clusters=tuple(by_id.get(one.id, one) for one in question.clusters))


def _of(question: PlanInput, plan: Plan, side: str, number: int = 0) -> Profile:
    """A cluster that the plan pairs."""
    id = getattr(plan.pairs[number * (len(plan.pairs) // 7)], f"{side}_id")
    return next(one for one in question.clusters if one.id == id)


def _assessed(question: PlanInput, plan: Plan) -> PlanInput:
    """A learner reaches all its targets."""
    one = _of(question, plan, "learner")
    return _changed(question, replace(one, levels=dict(one.levels) | {s: aim.level for s, aim in one.targets.items()}))


def _aimed(question: PlanInput, plan: Plan) -> PlanInput:
    """A learner wants more of everything that it wants."""
    one = _of(question, plan, "learner")
    return _changed(question, replace(one, targets={skill: TargetLevel(5, 5) for skill in one.targets}))


def _fuller(question: PlanInput, plan: Plan) -> PlanInput:
    """A mentor has one place less."""
    one = _of(question, plan, "mentor")
    return _changed(question, replace(one, mentor_slots=one.mentor_slots - 1))


def _trained(question: PlanInput, plan: Plan) -> PlanInput:
    """Six learners gain a level in everything."""
    guests = {one.id: one for one in (_of(question, plan, "learner", number) for number in range(6))}
    higher = [replace(one, levels={s: min(level + 1, 5) for s, level in one.levels.items()}) for one in guests.values()]
    return _changed(question, *higher)


def _gone(question: PlanInput, plan: Plan) -> PlanInput:
    """A mentor has left, and its open proposals with it."""
    one = _of(question, plan, "mentor")
    stay = tuple(two for two in question.open_proposals if one.id not in two)
    return replace(question, clusters=tuple(each for each in question.clusters if each is not one), open_proposals=stay)


CHANGES: dict[str, Change] = {
    "assessment.recorded": _assessed,
    "target.set": _aimed,
    "capacity.changed": _fuller,
    "training.completed": _trained,
    "cluster.archived": _gone,
}


@cache
def _published(size: int) -> tuple[PlanInput, Plan]:
    """A consortium whose plan is proposed as a whole."""
    question = consortium(size)
    plan = make_plan(question)
    proposed = tuple(PairKey(one.mentor_id, one.learner_id) for one in plan.pairs)
    return replace(question, open_proposals=proposed, criteria=question.criteria.for_replan), plan


async def _follow(size: int, change: Change) -> Metrics:
    question, plan = _published(size)
    asked = change(question, plan)
    with watch() as running:
        made = make_plan(asked)
    free = make_plan(replace(asked, open_proposals=()))
    had = {(two.mentor_id, two.learner_id) for two in asked.open_proposals}
    moved = len(had - {(one.mentor_id, one.learner_id) for one in free.pairs})
    share = made.total / free.total
    return {"seconds": running.seconds, "dropped": len(made.dropped), "free": moved, "of_best": share}


def benches() -> dict[str, Bench]:
    """One for each size."""
    return {f"replan-{size}": _bench(size) for size in SIZES}


def _bench(size: int) -> Bench:
    variants: dict[str, Variant] = {name: partial(_follow, size, change) for name, change in CHANGES.items()}
    return Bench(f"a plan of {size:,} clusters after an event", variants, warm=0, at_most=1)
