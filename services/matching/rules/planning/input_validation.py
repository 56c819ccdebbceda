"""What in a question contradicts itself, or what is there: each with the field that says so."""

from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.scoring.features import features_of
from services.matching.rules.scoring.pair_score import Excluded, score_pair
from services.matching.rules.wording import counted

ValidationError = tuple[str, str]
"""A field, and what is wrong with it."""


def validation_errors(question: PlanInput) -> Iterator[ValidationError]:
    """All of them, in the order of fields."""
    names = {one.id: one.name for one in question.clusters}
    kept = set(question.fixed_pairs)
    for field in ("forced", "forbidden"):
        for two in getattr(question, field):
            if two.mentor_id not in names or two.learner_id not in names:
                yield field, "A cluster of this pair is not of this consortium."
    if question.forced:
        yield from _not_to_be_forced(question, names)
    for two in question.forbidden:
        if two in kept:
            yield "forbidden", f"{names[two.mentor_id]} for {names[two.learner_id]} is live already."
    yield from _places(question)


def _not_to_be_forced(question: PlanInput, names: Mapping[UUID, str]) -> Iterator[ValidationError]:
    table, forbidden, kept = features_of(question), set(question.forbidden), set(question.fixed_pairs)
    for two in question.forced:
        if two.mentor_id not in names or two.learner_id not in names:
            continue
        said = f"{names[two.mentor_id]} for {names[two.learner_id]}"
        if two in forbidden:
            yield "forced", f"{said} is forced and forbidden at once."
        given = score_pair(table, two.mentor_id, two.learner_id)
        if isinstance(given, Excluded) and two not in kept:
            yield "forced", f"{said} cannot be forced: {given.reason}"


def _places(question: PlanInput) -> Iterator[ValidationError]:
    settled = {*question.fixed_pairs, *question.forced}
    known = {one.id for one in question.clusters}
    for id in question.criteria.places:
        if id not in known:
            yield "criteria.places", f"There is no cluster {id} in this consortium."
    mentors, learners = Counter(two.mentor_id for two in settled), Counter(two.learner_id for two in settled)
    for cluster in question.clusters:
        set_here = question.criteria.places.get(cluster.id)
        for side, used in (("mentor", mentors[cluster.id]), ("learner", learners[cluster.id])):
            places = question.criteria.capacity_of(cluster, side)  # type: ignore[arg-type]  # both are sides
            if set_here is not None and getattr(set_here, side) is not None and used > places:
                has = f"{cluster.name} has {counted(used, 'pair')} as {side}"
                yield "criteria.places", f"{has}, more than {counted(places, 'place')}."
            elif used > places and _forced(question, side, cluster.id):
                has = f"{cluster.name} has {counted(places, 'place')} as {side}"
                yield "forced", f"{has}, and {counted(used, 'pair')} would be live or forced."


def _forced(question: PlanInput, side: str, id: object) -> bool:
    return any(_end(two, side) == id for two in set(question.forced) - set(question.fixed_pairs))


def _end(two: PairKey, side: str) -> object:
    return two.mentor_id if side == "mentor" else two.learner_id
