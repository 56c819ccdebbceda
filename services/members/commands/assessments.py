"""Levels and needs: frameworks, assessments, targets, service requests. Each is one step of its cluster's version."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from services.members.commands.clusters import locked, step
from services.members.rules.assessments import check_dates, check_scores
from services.members.rules.levels import current
from services.members.rules.vocabulary import Kind
from services.members.tables import Assessment, Cluster, Framework, ServiceRequest, Target
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Invalid
from shared.events.members import AssessmentRecorded, IndicatorLevel, ServiceRequested, TargetSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An assessment as it is handed in."""

    framework: str
    kind: Kind
    assessed_on: date
    valid_until: date
    scores: dict[str, int]
    illustrative: bool


@dataclass(frozen=True, slots=True)
class Need:
    """An indicator of a framework."""

    framework: str
    indicator: str


async def add_framework(
    tx: WriteSession, code: str, title: str, scale_max: int, indicators: Sequence[dict[str, Any]]
) -> Framework:
    """Add a framework.

    Raises:
        Conflict: there is another with this code.
    """
    framework = Framework(code=code, title=title, scale_max=scale_max, indicators=list(indicators))
    values = {"code": code, "title": title, "scale_max": scale_max, "indicators": list(indicators)}
    await tx.execute(insert(Framework).values(**values).on_conflict_do_nothing())
    known = await tx.get_one(Framework, code)
    if (known.title, known.scale_max, known.indicators) != (title, scale_max, framework.indicators):
        raise Conflict("framework-exists", f"There is another framework {code!r} already.", field="code")
    return known


async def record(tx: WriteSession, id: UUID, cluster_id: UUID, recorded: Recorded, today: date) -> Assessment:
    """Record an assessment of a cluster.

    Raises:
        NotFound, Invalid.
        Conflict: the cluster was assessed that day in that way.
    """
    cluster = await locked(tx, cluster_id)
    framework = await _framework(tx, recorded.framework)
    check_scores(recorded.scores, [entry["code"] for entry in framework.indicators], framework.scale_max)
    check_dates(recorded.assessed_on, recorded.valid_until, today)
    assessment = Assessment(
        id=id,
        cluster_id=cluster_id,
        framework=framework.code,
        kind=recorded.kind.value,
        assessed_on=recorded.assessed_on,
        valid_until=recorded.valid_until,
        scores=recorded.scores,
        illustrative=recorded.illustrative,
    )
    tx.add(assessment)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = "The cluster has a recorded assessment of this kind and day in this framework already."
        raise Conflict("already-assessed", message, field="assessed_on") from error
    levels = await _levels(tx, cluster_id, framework.code, recorded.scores, today)
    event = _recorded_event(cluster, assessment, framework.scale_max, levels)
    outbox.append(tx, event, version=step(cluster))
    return assessment


def _recorded_event(
    cluster: Cluster, assessment: Assessment, scale_max: int, levels: list[IndicatorLevel]
) -> AssessmentRecorded:
    return AssessmentRecorded(
        cluster_id=cluster.id,
        consortium_id=cluster.consortium_id,
        assessment_id=assessment.id,
        framework=assessment.framework,
        kind=assessment.kind,
        assessed_on=assessment.assessed_on,
        valid_until=assessment.valid_until,
        scale_max=scale_max,
        scores=assessment.scores,
        levels=levels,
        illustrative=assessment.illustrative,
    )


@dataclass(frozen=True, slots=True)
class Aim:
    """The level to reach, and how much it matters: priority 1 to 5."""

    level: int
    priority: int
    illustrative: bool


async def set_target(tx: WriteSession, cluster_id: UUID, need: Need, aim: Aim) -> Target:
    """Say which level a cluster wants to reach in an indicator.

    Raises:
        NotFound, Invalid.
    """
    cluster = await locked(tx, cluster_id)
    await _known(tx, need)
    framework = await _framework(tx, need.framework)
    if aim.level > framework.scale_max:
        raise Invalid("off-scale", f"{aim.level} is over the scale's end, {framework.scale_max}.", field="level")
    values = asdict(aim)
    await tx.execute(
        insert(Target)
        .values(cluster_id=cluster_id, framework=need.framework, indicator=need.indicator, **values)
        .on_conflict_do_update(index_elements=["cluster_id", "framework", "indicator"], set_=values)
    )
    event = TargetSet(
        cluster_id=cluster_id,
        consortium_id=cluster.consortium_id,
        framework=need.framework,
        indicator=need.indicator,
        level=aim.level,
        priority=aim.priority,
        illustrative=aim.illustrative,
    )
    outbox.append(tx, event, version=step(cluster))
    return await tx.get_one(Target, (cluster_id, need.framework, need.indicator), populate_existing=True)


async def request_service(tx: WriteSession, id: UUID, cluster_id: UUID, wish: Mapping[str, Any]) -> ServiceRequest:
    """Ask for help in an indicator; `wish` has the columns framework, indicator, urgency, text and illustrative.

    Raises:
        NotFound, Invalid.
        Conflict: such a request is open already.
    """
    cluster = await locked(tx, cluster_id)
    request = ServiceRequest(id=id, cluster_id=cluster_id, consortium_id=cluster.consortium_id, **wish)
    await _known(tx, Need(request.framework, request.indicator))
    tx.add(request)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = f"The cluster has an open request for {request.indicator} already."
        raise Conflict("already-requested", message, field="indicator") from error
    event = ServiceRequested(
        cluster_id=cluster.id,
        consortium_id=cluster.consortium_id,
        request_id=request.id,
        framework=request.framework,
        indicator=request.indicator,
        urgency=request.urgency,
        illustrative=request.illustrative,
    )
    outbox.append(tx, event, version=step(cluster))
    return request


async def _framework(tx: WriteSession, code: str) -> Framework:
    framework = await tx.get(Framework, code)
    if framework is None:
        raise Invalid("unknown-framework", f"There is no framework {code!r}.", field="framework")
    return framework


async def _known(tx: WriteSession, need: Need) -> None:
    framework = await _framework(tx, need.framework)
    if need.indicator not in [entry["code"] for entry in framework.indicators]:
        message = f"{need.framework} has no indicator {need.indicator!r}."
        raise Invalid("unknown-indicator", message, field="indicator")


async def _levels(
    tx: WriteSession, cluster_id: UUID, framework: str, concerned: dict[str, int], today: date
) -> list[IndicatorLevel]:
    rows = await tx.scalars(
        select(Assessment).where(Assessment.cluster_id == cluster_id, Assessment.framework == framework)
    )
    counting = current((score for row in rows for score in row.single_scores()), today)
    return [
        IndicatorLevel(indicator=name, level=one.score, kind=one.kind.value, assessed_on=one.assessed_on)
        for name in sorted(concerned)
        if (one := counting.get(name)) is not None
    ]
