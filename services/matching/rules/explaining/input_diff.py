"""What has changed between two questions, in words."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from services.matching.rules.inputs.plan_input import Question, Two
from services.matching.rules.inputs.profile import Profile

MOST = 10
"""How many changes are told."""

FACTS = {
    "levels": "levels",
    "aims": "targets",
    "requests": "requests",
    "mentor_places": "places as mentor",
    "learner_places": "places as learner",
    "languages": "languages",
    "ecosystems": "ecosystems",
    "stages": "stages of the value chain",
    "label": "label",
    "country": "country",
    "name": "name",
    "record": "record",
}


def changes(before: Question, after: Question) -> list[str]:
    """Sentences, the first ten; how many more there are is said in the last."""
    told = list(_told(before, after))
    more = len(told) - MOST
    return told if more <= 0 else [*told[:MOST], f"And {more} more."]


def _told(before: Question, after: Question) -> Iterator[str]:
    were, are = ({one.id: one for one in question.clusters} for question in (before, after))
    for id in sorted(are.keys() - were.keys()):
        yield f"{are[id].name} has joined."
    for id in sorted(were.keys() - are.keys()):
        yield f"{were[id].name} is gone."
    for id in sorted(were.keys() & are.keys()):
        changed = [word for name, word in FACTS.items() if getattr(were[id], name) != getattr(are[id], name)]
        if changed:
            yield f"{are[id].name} has other {' and other '.join(changed)}."
    if after.arrived != before.arrived:
        yield "Somebody has asked for help."
    names = were | are
    for two in sorted({*after.proposed} - {*before.proposed}):
        yield f"{_pair(two, names)} was proposed."
    for two in sorted({*after.kept} - {*before.kept}):
        yield f"{_pair(two, names)} said yes."
    for mentor, learner, *_ in sorted({*after.past} - {*before.past}):
        yield f"{_pair(Two(mentor, learner), names)} said no."


def _pair(two: Two, names: Mapping[UUID, Profile]) -> str:
    return " with ".join(names[id].name if id in names else "a cluster that is gone" for id in two)
