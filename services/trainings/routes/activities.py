"""`/activities`, from draft to completion."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.trainings.commands import activities as commands
from services.trainings.queries import activities as queries
from services.trainings.rules.vocabulary import Kind
from shared import clock
from shared.auth import Anyone, Manager, Principal
from shared.db import WriteSession
from shared.errors import Forbidden, NotFound
from shared.web import IfMatch, Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Slug, Tx, etag

router = Router()


async def require_sight(tx: WriteSession, caller: Principal, id: UUID) -> commands.Owner:
    """The activity's owner, if the caller may see the activity.

    Raises:
        NotFound
    """
    owner = await commands.owner(tx, id)
    if not caller.within(owner.consortium_id):
        raise NotFound("no-such-activity", "There is no such activity.")
    return owner


async def require_host(tx: WriteSession, caller: Principal, id: UUID) -> None:
    """Refuse whoever may not act for the activity's host.

    Raises:
        NotFound, Forbidden.
    """
    owner = await require_sight(tx, caller, id)
    if not caller.speaks_for(*owner):
        raise Forbidden("not-your-activity", "Only its host and the coordinator may do this.")


class Taught(RequestModel):
    """An indicator that is taught, with the gain it promises in levels of the framework's scale."""

    framework: Slug
    indicator: Slug
    gain: Annotated[int, Field(ge=1, le=100)]


class Plan(RequestModel):
    """What is known of an activity beforehand."""

    kind: Kind
    title: Name
    host_cluster_id: UUID
    place: Name
    starts_on: date
    ends_on: date
    capacity: Annotated[int, Field(ge=1, le=10_000, description="seats")]
    teaches: Annotated[list[Taught], Field(max_length=10, default_factory=list)]
    sector_groups: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    deliverables: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    topics: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    illustrative: Annotated[
        list[Slug], Field(max_length=30, default_factory=list, description="fields without a public source")
    ]

    def values(self) -> commands.Plan:
        """For the command."""
        names = commands.Plan.__dataclass_fields__
        teaches = [one.model_dump() for one in self.teaches]
        return commands.Plan(**{name: getattr(self, name) for name in names} | {"teaches": teaches})


class NewActivity(Plan):
    """An activity to be."""

    consortium_id: UUID


class TaughtView(ResponseModel):
    """An indicator that is taught."""

    framework: str
    indicator: str
    gain: int


class ActivityView(ResponseModel):
    """An activity."""

    id: UUID
    consortium_id: UUID
    host_cluster_id: UUID
    kind: str
    title: str
    place: str
    starts_on: date
    ends_on: date
    capacity: int
    seats_taken: int
    state: str
    teaches: list[TaughtView]
    sector_groups: list[str]
    deliverables: list[str]
    topics: list[str]
    illustrative: list[str]
    version: int


@router.post("/activities", status_code=201)
async def draft_activity(caller: Manager, tx: Tx, body: NewActivity, response: Response) -> ActivityView:
    """Draft an activity."""
    if not caller.speaks_for(body.host_cluster_id, body.consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for the host.", field="host_cluster_id")
    activity = await commands.create(tx, clock.new_id(), body.consortium_id, body.values())
    response.headers["Location"] = f"activities/{activity.id}"
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.get("/activities")
async def list_activities(caller: Anyone, db: Read, paging: Paging) -> Page[ActivityView]:
    """The activities of the caller's consortium, in order of their first day."""
    rows = await queries.activities(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page(
        [ActivityView.model_validate(row) for row in rows], lambda row: (row.starts_on.isoformat(), row.id)
    )


@router.get("/activities/{id}")
async def show_activity(caller: Anyone, db: Read, id: UUID, response: Response) -> ActivityView:
    """One activity."""
    activity = await queries.activity(db, id)
    if not caller.within(activity.consortium_id):
        raise NotFound("no-such-activity", "There is no such activity.")
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.put("/activities/{id}")
async def change_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: Plan, response: Response
) -> ActivityView:
    """Replace what is planned, as long as it is a draft."""
    await require_host(tx, caller, id)
    activity = await commands.change(tx, id, expected_version, body.values())
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.post("/activities/{id}/publication")
async def publish_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ActivityView:
    """Open a draft for registration."""
    await require_host(tx, caller, id)
    activity = await commands.publish(tx, id, expected_version)
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.post("/activities/{id}/completion")
async def complete_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ActivityView:
    """Say that the activity is over. Who attended has then gained what it taught."""
    await require_host(tx, caller, id)
    activity = await commands.complete(tx, id, expected_version, clock.now().date())
    etag(response, activity.version)
    return ActivityView.model_validate(activity)
