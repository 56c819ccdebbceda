"""The differences between two plan inputs, in sentences."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Profile

MAX_CHANGES = 10

FIELD_LABELS = {
    "levels": "levels",
    "targets": "targets",
    "requests": "requests",
    "mentor_slots": "places as mentor",
    "learner_slots": "places as learner",
    "languages": "languages",
    "ecosystems": "ecosystems",
    "stages": "stages of the value chain",
    "label": "label",
    "country": "country",
    "name": "name",
    "record": "record",
}


def describe_changes(before: PlanInput, after: PlanInput) -> list[str]:
    """The first ten changes; if there are more, a last sentence gives their number."""
    changes = list(_changes(before, after))
    more = len(changes) - MAX_CHANGES
    return changes if more <= 0 else [*changes[:MAX_CHANGES], f"And {more} more."]


def _changes(before: PlanInput, after: PlanInput) -> Iterator[str]:
    old, new = ({cluster.id: cluster for cluster in plan_input.clusters} for plan_input in (before, after))
    for id in sorted(new.keys() - old.keys()):
        yield f"{new[id].name} has joined."
    for id in sorted(old.keys() - new.keys()):
        yield f"{old[id].name} is gone."
    for id in sorted(old.keys() & new.keys()):
        fields = [label for name, label in FIELD_LABELS.items() if getattr(old[id], name) != getattr(new[id], name)]
        if fields:
            yield f"{new[id].name} has other {' and other '.join(fields)}."
    if after.arrival_dates != before.arrival_dates:
        yield "Somebody has asked for help."
    clusters = old | new
    for pair in sorted({*after.open_proposals} - {*before.open_proposals}):
        yield f"{_names(pair, clusters)} was proposed."
    for pair in sorted({*after.fixed_pairs} - {*before.fixed_pairs}):
        yield f"{_names(pair, clusters)} said yes."
    for mentor, learner, *_ in sorted({*after.past_pairs} - {*before.past_pairs}):
        yield f"{_names(PairKey(mentor, learner), clusters)} said no."


def _names(pair: PairKey, clusters: Mapping[UUID, Profile]) -> str:
    return " with ".join(clusters[id].name if id in clusters else "a cluster that is gone" for id in pair)
