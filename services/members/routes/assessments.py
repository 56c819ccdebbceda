"""`/frameworks`, and what belongs to a cluster: `/assessments`, `/levels`, `/targets`, `/requests`."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.members.commands import assessments as commands
from services.members.commands.clusters import require_right
from services.members.queries import assessments as queries
from services.members.queries import clusters
from services.members.rules.vocabulary import Kind
from shared import clock
from shared.auth import Anyone, Manager, Operator, Principal
from shared.db import ReadSession
from shared.errors import NotFound
from shared.web import LongText, Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Slug, Tx

router = Router()
Level = Annotated[int, Field(ge=0, le=100)]
OneToFive = Annotated[int, Field(ge=1, le=5)]


class Indicator(RequestModel):
    """One thing that a framework measures."""

    code: Slug
    title: Name
    area: Name | None = None


class NewFramework(RequestModel):
    """A framework to be; scores go from 0 to `scale_max`."""

    code: Slug
    title: Name
    scale_max: Annotated[int, Field(ge=1, le=100)]
    indicators: Annotated[list[Indicator], Field(min_length=1, max_length=100)]


class IndicatorView(ResponseModel):
    """One thing that a framework measures."""

    code: str
    title: str
    area: str | None


class FrameworkView(ResponseModel):
    """A scheme to assess clusters by."""

    code: str
    title: str
    scale_max: int
    indicators: list[IndicatorView]


class NewAssessment(RequestModel):
    """Scores by indicator; an indicator without a score is left out."""

    framework: Slug
    kind: Kind
    assessed_on: date
    valid_until: date
    scores: Annotated[dict[Slug, Level], Field(min_length=1, max_length=100)]
    illustrative: bool = False


class AssessmentView(ResponseModel):
    """Scores that somebody gave a cluster on a day."""

    id: UUID
    cluster_id: UUID
    framework: str
    kind: str
    assessed_on: date
    valid_until: date
    scores: dict[str, int]
    illustrative: bool


class NewTarget(RequestModel):
    """The level a cluster wants to reach; priority 1 (would be nice) to 5 (vital)."""

    level: Level
    priority: OneToFive
    illustrative: bool = False


class TargetView(ResponseModel):
    """A target."""

    cluster_id: UUID
    framework: str
    indicator: str
    level: int
    priority: int
    illustrative: bool


class StandingView(ResponseModel):
    """Where a cluster stands in an indicator, where that is known from, and where it wants to be."""

    framework: str
    indicator: str
    level: int | None
    kind: str | None
    assessed_on: date | None
    assessment_id: UUID | None
    target: int | None
    priority: int | None
    illustrative: bool


class Standings(ResponseModel):
    """All standings of a cluster."""

    items: list[StandingView]


class NewRequest(RequestModel):
    """Help that a cluster asks for; urgency 1 (some day) to 5 (at once)."""

    framework: Slug
    indicator: Slug
    urgency: OneToFive
    text: LongText = ""
    illustrative: bool = False


class RequestView(ResponseModel):
    """A service request."""

    id: UUID
    cluster_id: UUID
    consortium_id: UUID
    framework: str
    indicator: str
    urgency: int
    text: str
    state: str
    illustrative: bool


@router.post("/frameworks", status_code=201)
async def add_framework(caller: Operator, tx: Tx, body: NewFramework) -> FrameworkView:
    """Add an assessment framework. The same one again is no error."""
    indicators = [one.model_dump() for one in body.indicators]
    added = await commands.add_framework(tx, body.code, body.title, body.scale_max, indicators)
    return FrameworkView.model_validate(added)


@router.get("/frameworks")
async def list_frameworks(caller: Anyone, db: Read, paging: Paging) -> Page[FrameworkView]:
    """The assessment frameworks."""
    rows = await queries.frameworks(db, paging.after, paging.limit + 1)
    return paging.page([FrameworkView.model_validate(row) for row in rows], lambda row: (row.code,))


@router.get("/frameworks/{code}")
async def show_framework(caller: Anyone, db: Read, code: Slug) -> FrameworkView:
    """One assessment framework."""
    return FrameworkView.model_validate(await queries.framework(db, code))


@router.post("/clusters/{id}/assessments", status_code=201)
async def record_assessment(caller: Manager, tx: Tx, id: UUID, body: NewAssessment) -> AssessmentView:
    """Record an assessment of the cluster."""
    await require_right(tx, caller.speaks_for, id)
    recorded = commands.Recorded(**dict(body))
    made = await commands.record(tx, clock.new_id(), id, recorded, clock.now().date())
    return AssessmentView.model_validate(made)


@router.get("/clusters/{id}/assessments")
async def list_assessments(caller: Anyone, db: Read, id: UUID, paging: Paging) -> Page[AssessmentView]:
    """The cluster's assessments, oldest first."""
    await _visible(db, caller, id)
    rows = await queries.assessments(db, id, paging.after, paging.limit + 1)
    return paging.page(
        [AssessmentView.model_validate(row) for row in rows], lambda row: (row.assessed_on.isoformat(), row.id)
    )


@router.get("/clusters/{id}/levels")
async def show_levels(caller: Anyone, db: Read, id: UUID) -> Standings:
    """Where the cluster stands today, and where that is known from."""
    await _visible(db, caller, id)
    rows = await queries.standings(db, id, clock.now().date())
    return Standings(items=[_standing(row) for row in rows])


def _standing(row: queries.Standing) -> StandingView:
    level, target = row.level, row.target
    return StandingView(
        framework=row.framework,
        indicator=row.indicator,
        level=level.score if level else None,
        kind=level.kind.value if level else None,
        assessed_on=level.assessed_on if level else None,
        assessment_id=level.assessment_id if level else None,
        target=target.level if target else None,
        priority=target.priority if target else None,
        illustrative=row.illustrative,
    )


@router.put("/clusters/{id}/targets/{framework}/{indicator}")
async def set_target(
    caller: Manager, tx: Tx, id: UUID, framework: Slug, indicator: Slug, body: NewTarget
) -> TargetView:
    """Say which level the cluster wants to reach in an indicator."""
    await require_right(tx, caller.speaks_for, id)
    need = commands.Need(framework, indicator)
    made = await commands.set_target(tx, id, need, commands.Aim(body.level, body.priority, body.illustrative))
    return TargetView.model_validate(made)


@router.post("/clusters/{id}/requests", status_code=201)
async def request_service(caller: Manager, tx: Tx, id: UUID, body: NewRequest) -> RequestView:
    """Ask for help in an indicator."""
    await require_right(tx, caller.speaks_for, id)
    made = await commands.request_service(tx, clock.new_id(), id, body.model_dump())
    return RequestView.model_validate(made)


@router.get("/requests")
async def list_requests(caller: Anyone, db: Read, paging: Paging) -> Page[RequestView]:
    """The service requests of the caller's consortium, oldest first."""
    rows = await queries.requests(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([RequestView.model_validate(row) for row in rows], lambda row: (row.id,))


async def _visible(db: ReadSession, caller: Principal, cluster_id: UUID) -> None:
    cluster = await clusters.cluster(db, cluster_id)
    if not caller.within(cluster.consortium_id):
        raise NotFound("no-such-cluster", "There is no such cluster.")
