"""Reading the levels and targets of a cluster."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from services.members.rules.levels import IndicatorScore, current_levels
from services.members.tables import Assessment, Target
from shared.db import ReadSession


@dataclass(frozen=True, slots=True)
class IndicatorStatus:
    """A cluster's level and target in an indicator, if it has them."""

    framework: str
    indicator: str
    level: IndicatorScore | None
    target: Target | None
    illustrative: bool


async def indicator_statuses(db: ReadSession, cluster_id: UUID, today: date) -> list[IndicatorStatus]:
    """The status of a cluster in every indicator with a valid score or a target, in order of their codes."""
    assessments = (await db.scalars(select(Assessment).where(Assessment.cluster_id == cluster_id))).all()
    rows = await db.scalars(select(Target).where(Target.cluster_id == cluster_id))
    targets = {(target.framework, target.indicator): target for target in rows}
    levels: dict[tuple[str, str], IndicatorScore] = {}
    for code in {assessment.framework for assessment in assessments}:
        scores = (score for row in assessments if row.framework == code for score in row.indicator_scores())
        levels |= {(code, indicator): score for indicator, score in current_levels(scores, today).items()}
    illustrative = {assessment.id for assessment in assessments if assessment.illustrative}
    return [
        _status(key, levels.get(key), targets.get(key), illustrative) for key in sorted(levels.keys() | targets.keys())
    ]


def _status(
    key: tuple[str, str], level: IndicatorScore | None, target: Target | None, illustrative: set[UUID]
) -> IndicatorStatus:
    level_illustrative = level is not None and level.assessment_id in illustrative
    return IndicatorStatus(*key, level, target, level_illustrative or (target is not None and target.illustrative))
