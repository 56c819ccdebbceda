"""Contradictions in a plan input, each with the field of the request that causes it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args
from uuid import UUID

from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.scoring.features import features_of
from services.matching.rules.scoring.pair_score import Excluded, score_pair
from shared.wording import counted

ValidationError = tuple[str, str]
"""A field, and a message."""
_ROLES: tuple[Role, ...] = get_args(Role)


def validation_errors(plan_input: PlanInput) -> Iterator[ValidationError]:
    """All contradictions, in the order of fields."""
    names = {cluster.id: cluster.name for cluster in plan_input.clusters}
    fixed = set(plan_input.fixed_pairs)
    for field, pairs in (("forced", plan_input.forced), ("forbidden", plan_input.forbidden)):
        for pair in pairs:
            if pair.mentor_id not in names or pair.learner_id not in names:
                yield field, "A cluster of this pair is not of this consortium."
    if plan_input.forced:
        yield from _forced_errors(plan_input, names)
    for pair in plan_input.forbidden:
        if pair in fixed:
            yield "forbidden", f"{names[pair.mentor_id]} for {names[pair.learner_id]} is live already."
    yield from _capacity_errors(plan_input)


def _forced_errors(plan_input: PlanInput, names: Mapping[UUID, str]) -> Iterator[ValidationError]:
    features, forbidden, fixed = features_of(plan_input), set(plan_input.forbidden), set(plan_input.fixed_pairs)
    for pair in plan_input.forced:
        if pair.mentor_id not in names or pair.learner_id not in names:
            continue
        text = f"{names[pair.mentor_id]} for {names[pair.learner_id]}"
        if pair in forbidden:
            yield "forced", f"{text} is forced and forbidden at once."
        result = score_pair(features, pair.mentor_id, pair.learner_id)
        if isinstance(result, Excluded) and pair not in fixed:
            yield "forced", f"{text} cannot be forced: {result.reason}"


def _capacity_errors(plan_input: PlanInput) -> Iterator[ValidationError]:
    criteria = plan_input.criteria
    decided = {*plan_input.fixed_pairs, *plan_input.forced}
    newly_forced = set(plan_input.forced) - set(plan_input.fixed_pairs)
    ids = {cluster.id for cluster in plan_input.clusters}
    for id in criteria.places:
        if id not in ids:
            yield "criteria.places", f"There is no cluster {id} in this consortium."
    loads = {role: Counter(_id_in_role(pair, role) for pair in decided) for role in _ROLES}
    for cluster in plan_input.clusters:
        limits = criteria.places.get(cluster.id)
        for role in _ROLES:
            load, capacity = loads[role][cluster.id], criteria.capacity_of(cluster, role)
            if load <= capacity:
                continue
            if limits is not None and limits.capacity(role) is not None:
                text = f"{cluster.name} has {counted(load, 'pair')} as {role}"
                yield "criteria.places", f"{text}, more than {counted(capacity, 'place')}."
            elif any(_id_in_role(pair, role) == cluster.id for pair in newly_forced):
                text = f"{cluster.name} has {counted(capacity, 'place')} as {role}"
                yield "forced", f"{text}, and {counted(load, 'pair')} would be live or forced."


def _id_in_role(pair: PairKey, role: Role) -> UUID:
    return pair.mentor_id if role == "mentor" else pair.learner_id
