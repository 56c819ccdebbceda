"""The differences between two plans, by learner."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Comparison, LearnerDelta, Plan, PlanSummary, ResultModel

_MAX_TEXT = 200
"""Characters of a value in a sentence."""


def compare(input_before: PlanInput, before: Plan, input_after: PlanInput, after: Plan) -> Comparison:
    """The differences between two plans. A learner counts in both if it has slots in either input."""
    paired = {pair.learner_id for pair in (*before.pairs, *after.pairs)}
    learners = sorted({*_learners(input_before), *_learners(input_after)} | paired)
    old, new = _sums(before), _sums(after)
    old_pairs, new_pairs = _pairs(before), _pairs(after)
    return Comparison(
        before=_summary(before, [old[id] for id in learners]),
        after=_summary(after, [new[id] for id in learners]),
        shifts=tuple(
            LearnerDelta(cluster_id=id, before=old[id], after=new[id]) for id in learners if old[id] != new[id]
        ),
        added=tuple(sorted(new_pairs - old_pairs)),
        dropped=tuple(sorted(old_pairs - new_pairs)),
    )


class Replay(ResultModel):
    """Whether a replay of a plan input gave the same plan, and where it differs."""

    identical: bool
    differences: tuple[str, ...]


def compare_replay(stored: Plan, replayed: Plan) -> Replay:
    """The differences between two plans of one plan input; there should be none."""
    differences = [
        f"{name} was {_short(getattr(stored, name))} and is {_short(getattr(replayed, name))}"
        for name in Plan.model_fields
        if getattr(stored, name) != getattr(replayed, name)
    ]
    return Replay(identical=not differences, differences=tuple(differences))


def _short(value: object) -> str:
    """The beginning of a value as text."""
    text = str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def gini(values: Sequence[int]) -> int:
    """The Gini coefficient in thousandths, rounded down; 0 if all values are equal."""
    total, count = sum(values), len(values)
    if not total:
        return 0
    weighted = sum(rank * value for rank, value in enumerate(sorted(values), 1))
    return 1000 * (2 * weighted - (count + 1) * total) // (count * total)


def _summary(plan: Plan, sums: Sequence[int]) -> PlanSummary:
    served = sum(value > 0 for value in sums)
    return PlanSummary(
        pairs=len(plan.pairs), served=served, total=plan.total, worst=min(sums, default=0), gini=gini(sums)
    )


def _learners(plan_input: PlanInput) -> list[UUID]:
    criteria = plan_input.criteria
    return [cluster.id for cluster in plan_input.clusters if criteria.capacity_of(cluster, "learner") > 0]


def _sums(plan: Plan) -> defaultdict[UUID, int]:
    """The sum of the scores of each learner's pairs."""
    sums: defaultdict[UUID, int] = defaultdict(int)
    for pair in plan.pairs:
        sums[pair.learner_id] += pair.score
    return sums


def _pairs(plan: Plan) -> set[tuple[UUID, UUID]]:
    return {(pair.mentor_id, pair.learner_id) for pair in plan.pairs}
