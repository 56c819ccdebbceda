"""Which level a cluster has: the newest valid score of an indicator, an expert's before a peer's before its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.members.rules.vocabulary import Kind

_WEIGHT = {Kind.expert: 2, Kind.peer: 1, Kind.own: 0}


@dataclass(frozen=True, slots=True)
class Score:
    """One score of one assessment."""

    assessment_id: UUID
    indicator: str
    score: int
    kind: Kind
    assessed_on: date
    valid_until: date


def current(scores: Iterable[Score], on: date) -> dict[str, Score]:
    """The score that counts for each indicator on a day; an indicator without a valid score is left out."""
    counting: dict[str, Score] = {}
    for score in scores:
        if not score.assessed_on <= on <= score.valid_until:
            continue
        known = counting.get(score.indicator)
        if known is None or _rank(score) > _rank(known):
            counting[score.indicator] = score
    return counting


def _rank(score: Score) -> tuple[int, date, UUID]:
    return (_WEIGHT[score.kind], score.assessed_on, score.assessment_id)
