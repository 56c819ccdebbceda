"""The level of a cluster in an indicator: its newest valid score, an expert's before a peer's before its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.members.rules.vocabulary import AssessmentKind

_PRECEDENCE = {AssessmentKind.expert: 2, AssessmentKind.peer: 1, AssessmentKind.own: 0}


@dataclass(frozen=True, slots=True)
class IndicatorScore:
    """One score of one assessment."""

    assessment_id: UUID
    indicator: str
    score: int
    kind: AssessmentKind
    assessed_on: date
    valid_until: date


def current_levels(scores: Iterable[IndicatorScore], on: date) -> dict[str, IndicatorScore]:
    """For each indicator the score that is its level on a day. An indicator without a valid score is left out."""
    levels: dict[str, IndicatorScore] = {}
    for score in scores:
        if not score.assessed_on <= on <= score.valid_until:
            continue
        current = levels.get(score.indicator)
        if current is None or _rank(score) > _rank(current):
            levels[score.indicator] = score
    return levels


def _rank(score: IndicatorScore) -> tuple[int, date, UUID]:
    return (_PRECEDENCE[score.kind], score.assessed_on, score.assessment_id)
