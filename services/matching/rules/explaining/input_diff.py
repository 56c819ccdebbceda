"""What has changed between two questions, in words."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Profile

MAX_CHANGES = 10
"""How many changes are told."""

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
    """Sentences, the first ten; how many more there are is said in the last."""
    told = list(_told(before, after))
    more = len(told) - MAX_CHANGES
    return told if more <= 0 else [*told[:MAX_CHANGES], f"And {more} more."]


def _told(before: PlanInput, after: PlanInput) -> Iterator[str]:
    were, are = ({one.id: one for one in question.clusters} for question in (before, after))
    for id in sorted(are.keys() - were.keys()):
        yield f"{are[id].name} has joined."
    for id in sorted(were.keys() - are.keys()):
        yield f"{were[id].name} is gone."
    for id in sorted(were.keys() & are.keys()):
        changed = [word for name, word in FIELD_LABELS.items() if getattr(were[id], name) != getattr(are[id], name)]
        if changed:
            yield f"{are[id].name} has other {' and other '.join(changed)}."
    if after.arrival_dates != before.arrival_dates:
        yield "Somebody has asked for help."
    names = were | are
    for two in sorted({*after.open_proposals} - {*before.open_proposals}):
        yield f"{_pair(two, names)} was proposed."
    for two in sorted({*after.fixed_pairs} - {*before.fixed_pairs}):
        yield f"{_pair(two, names)} said yes."
    for mentor, learner, *_ in sorted({*after.past_pairs} - {*before.past_pairs}):
        yield f"{_pair(PairKey(mentor, learner), names)} said no."


def _pair(two: PairKey, names: Mapping[UUID, Profile]) -> str:
    return " with ".join(names[id].name if id in names else "a cluster that is gone" for id in two)
