"""`/activities`, from draft to completion."""

from datetime import date
from uuid import UUID

from fastapi import Response

from services.trainings.commands import activities as commands
from services.trainings.commands.activities import ActivityFacts, NewActivity
from services.trainings.queries import activities as queries
from shared import clock
from shared.auth import Anyone, Manager, Principal
from shared.db import WriteSession
from shared.errors import Forbidden, NotFound
from shared.web import IfMatch, Page, Paging, Read, ResponseModel, Router, Tx, etag

router = Router(prefix="/activities")


async def require_visible(tx: WriteSession, caller: Principal, id: UUID) -> commands.Host:
    """The activity's host, if the caller may see the activity.

    Raises:
        NotFound
    """
    host = await commands.host_of(tx, id)
    if not caller.within(host.consortium_id):
        raise NotFound("no-such-activity", "There is no such activity.")
    return host


async def require_host_permission(tx: WriteSession, caller: Principal, id: UUID) -> commands.Host:
    """The activity's host, if the caller may act for it.

    Raises:
        NotFound, Forbidden.
    """
    host = await require_visible(tx, caller, id)
    if not caller.speaks_for(*host):
        raise Forbidden("not-your-activity", "Only its host and the coordinator may do this.")
    return host


class TaughtIndicatorView(ResponseModel):
    """An indicator that is taught, with the planned gain in levels of the framework's scale."""

    framework: str
    indicator: str
    gain: int


class ActivityView(ResponseModel):
    """A joint training, study visit, peer review or matchmaking talk."""

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
    teaches: list[TaughtIndicatorView]
    sector_groups: list[str]
    deliverables: list[str]
    topics: list[str]
    illustrative: list[str]
    version: int


@router.post("", status_code=201)
async def draft_activity(caller: Manager, tx: Tx, body: NewActivity, response: Response) -> ActivityView:
    """Draft an activity."""
    if not caller.speaks_for(body.host_cluster_id, body.consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for the host.", field="host_cluster_id")
    activity = await commands.draft(tx, clock.new_id(), body)
    response.headers["Location"] = f"activities/{activity.id}"
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.get("")
async def list_activities(caller: Anyone, db: Read, paging: Paging) -> Page[ActivityView]:
    """The activities of the caller's consortium, in order of their first day."""
    rows = await queries.activities(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page(
        [ActivityView.model_validate(row) for row in rows], lambda row: (row.starts_on.isoformat(), row.id)
    )


@router.get("/{id}")
async def show_activity(caller: Anyone, db: Read, id: UUID, response: Response) -> ActivityView:
    """One activity."""
    activity = await queries.activity(db, id, caller.within)
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.put("/{id}")
async def change_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: ActivityFacts, response: Response
) -> ActivityView:
    """Replace what is planned for a draft. Another host may be named by its manager and by the coordinator."""
    host = await require_host_permission(tx, caller, id)
    if not caller.speaks_for(body.host_cluster_id, host.consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for the new host.", field="host_cluster_id")
    activity = await commands.change(tx, id, expected_version, body)
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.post("/{id}/publication")
async def publish_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ActivityView:
    """Open a draft for registration."""
    await require_host_permission(tx, caller, id)
    activity = await commands.publish(tx, id, expected_version)
    etag(response, activity.version)
    return ActivityView.model_validate(activity)


@router.post("/{id}/completion")
async def complete_activity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ActivityView:
    """Complete the activity; the clusters that attended have gained what it taught."""
    await require_host_permission(tx, caller, id)
    activity = await commands.complete(tx, id, expected_version, clock.now().date())
    etag(response, activity.version)
    return ActivityView.model_validate(activity)
