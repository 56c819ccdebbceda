"""Two plans side by side, as learners see them."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Comparison, LearnerDelta, Plan, PlanSummary, ResultModel

_LONG = 200


def compare(question: PlanInput, before: Plan, other: PlanInput, after: Plan) -> Comparison:
    """What a plan has that another has not. A learner counts in both if it is known and has places in either."""
    everybody = sorted(
        {*_learners(question), *_learners(other)} | {one.learner_id for one in (*before.pairs, *after.pairs)}
    )
    had, has = _sums(before), _sums(after)
    first, second = _twos(before), _twos(after)
    return Comparison(
        before=_side(before, [had[one] for one in everybody]),
        after=_side(after, [has[one] for one in everybody]),
        shifts=tuple(
            LearnerDelta(cluster_id=one, before=had[one], after=has[one]) for one in everybody if had[one] != has[one]
        ),
        added=tuple(sorted(second - first)),
        dropped=tuple(sorted(first - second)),
    )


class Replay(ResultModel):
    """Whether a question that was answered anew had the same answer, and where it differs."""

    identical: bool
    differences: tuple[str, ...]


def compare_replay(kept: Plan, anew: Plan) -> Replay:
    """What differs between two answers to one question; nothing should."""
    differences = [
        f"{name} was {_short(getattr(kept, name))} and is {_short(getattr(anew, name))}"
        for name in Plan.model_fields
        if getattr(kept, name) != getattr(anew, name)
    ]
    return Replay(identical=not differences, differences=tuple(differences))


def _short(value: object) -> str:
    """A value in a sentence; of a list where it begins."""
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def gini(values: Sequence[int]) -> int:
    """The Gini coefficient in thousandths, rounded down: 0 where all are the same, and where all are 0."""
    total, count = sum(values), len(values)
    if not total:
        return 0
    weighted = sum(place * value for place, value in enumerate(sorted(values), 1))
    return 1000 * (2 * weighted - (count + 1) * total) // (count * total)


def _side(plan: Plan, sums: Sequence[int]) -> PlanSummary:
    served = sum(one > 0 for one in sums)
    return PlanSummary(
        pairs=len(plan.pairs), served=served, total=plan.total, worst=min(sums, default=0), gini=gini(sums)
    )


def _learners(question: PlanInput) -> list[UUID]:
    return [one.id for one in question.clusters if question.criteria.capacity_of(one, "learner") > 0]


def _sums(plan: Plan) -> defaultdict[UUID, int]:
    sums: defaultdict[UUID, int] = defaultdict(int)
    for pair in plan.pairs:
        sums[pair.learner_id] += pair.score
    return sums


def _twos(plan: Plan) -> set[tuple[UUID, UUID]]:
    return {(pair.mentor_id, pair.learner_id) for pair in plan.pairs}
