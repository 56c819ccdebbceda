"""Assessments of clusters."""

from collections.abc import Collection
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.members.commands.clusters import lock_cluster, next_version
from services.members.commands.frameworks import LevelValue, get_framework
from services.members.rules.assessments import check_dates, check_scores
from services.members.rules.levels import current_levels
from services.members.rules.vocabulary import AssessmentKind
from services.members.tables import Assessment
from shared import outbox
from shared.dates import Day
from shared.db import WriteSession
from shared.errors import Conflict
from shared.events.members import AssessmentRecorded, IndicatorLevel
from shared.schemas import RequestModel, Slug


class NewAssessment(RequestModel):
    """Scores by indicator; an indicator without a score is left out."""

    framework: Slug
    kind: AssessmentKind
    assessed_on: Day
    valid_until: Day
    scores: Annotated[dict[Slug, LevelValue], Field(min_length=1, max_length=100)]
    illustrative: bool = False


async def record(tx: WriteSession, id: UUID, cluster_id: UUID, new: NewAssessment, today: date) -> Assessment:
    """Record an assessment of a cluster.

    Raises:
        NotFound, Invalid.
        Conflict: the cluster has left, or has an assessment of this kind and day in the framework.
    """
    cluster = await lock_cluster(tx, cluster_id)
    framework = await get_framework(tx, new.framework)
    check_scores(new.scores, framework.indicator_codes(), framework.scale_max)
    check_dates(new.assessed_on, new.valid_until, today)
    assessment = Assessment(id=id, cluster_id=cluster_id, **new.model_dump())
    tx.add(assessment)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = "The cluster has a recorded assessment of this kind and day in this framework already."
        raise Conflict("already-assessed", message, field="assessed_on") from error
    event = AssessmentRecorded(
        cluster_id=cluster_id,
        consortium_id=cluster.consortium_id,
        assessment_id=id,
        framework=new.framework,
        kind=new.kind.value,
        assessed_on=new.assessed_on,
        valid_until=new.valid_until,
        scale_max=framework.scale_max,
        scores=new.scores,
        levels=await _levels(tx, cluster_id, new.framework, new.scores, today),
        illustrative=new.illustrative,
    )
    outbox.append(tx, event, version=next_version(cluster))
    return assessment


async def _levels(
    tx: WriteSession, cluster_id: UUID, framework: str, indicators: Collection[str], today: date
) -> list[IndicatorLevel]:
    """The cluster's current levels in these indicators, in order of their codes."""
    rows = await tx.scalars(
        select(Assessment).where(Assessment.cluster_id == cluster_id, Assessment.framework == framework)
    )
    levels = current_levels((score for row in rows for score in row.indicator_scores()), today)
    return [
        IndicatorLevel(indicator=code, level=level.score, kind=level.kind.value, assessed_on=level.assessed_on)
        for code in sorted(indicators)
        if (level := levels.get(code)) is not None
    ]
