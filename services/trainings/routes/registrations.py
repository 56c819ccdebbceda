"""`/activities/{id}/registrations` and `/activities/{id}/attendance`."""

from datetime import datetime
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.trainings.commands import registrations as commands
from services.trainings.commands.clusters import require_active_cluster
from services.trainings.commands.registrations import Attendance, NewRegistration
from services.trainings.queries import registrations as queries
from services.trainings.queries.activities import activity
from services.trainings.routes.activities import ActivityView, require_host_permission, require_visible
from shared import clock
from shared.auth import Anyone, Manager, Role
from shared.errors import Forbidden
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx, etag

router = Router(prefix="/activities/{id}")


class RegistrationView(ResponseModel):
    """A cluster's seats in an activity."""

    id: UUID
    activity_id: UUID
    cluster_id: UUID
    seats: int
    state: str
    queue: int = Field(description="the order of arrival, over all activities")
    place_in_queue: int | None = Field(description="1 is next; null if the registration is not waitlisted")
    registered_at: datetime


@router.post("/registrations", status_code=201)
async def register(caller: Manager, tx: Tx, id: UUID, body: NewRegistration, response: Response) -> RegistrationView:
    """Register a cluster: it gets its seats at once, or a place in the queue.

    After the last day only coordinators and operators may, to record history.
    """
    await require_visible(tx, caller, id)
    consortium_id = await require_active_cluster(tx, body.cluster_id, "cluster_id")
    if not caller.speaks_for(body.cluster_id, consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for this cluster.", field="cluster_id")
    today = None if caller.has(Role.coordinator, Role.operator) else clock.now().date()
    registration = await commands.register(tx, clock.new_id(), id, body, today)
    response.headers["Location"] = "registrations"
    return RegistrationView.model_validate(registration)


@router.get("/registrations")
async def list_registrations(caller: Anyone, db: Read, id: UUID, paging: Paging) -> Page[RegistrationView]:
    """An activity's registrations in order of arrival, also cancelled ones."""
    await activity(db, id, caller.within)
    rows = await queries.registrations(db, id, paging.after, paging.limit + 1)
    return paging.page([RegistrationView.model_validate(row) for row in rows], lambda row: (row.queue,))


@router.delete("/registrations/{registration_id}", status_code=204)
async def cancel(caller: Manager, tx: Tx, id: UUID, registration_id: UUID) -> None:
    """Cancel a registration. Until the last day its seats go to the clusters that wait, first come, first served."""
    host = await require_visible(tx, caller, id)
    cluster_id = await commands.cluster_of(tx, id, registration_id)
    if not caller.speaks_for(cluster_id, host.consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for this cluster.")
    await commands.cancel(tx, id, registration_id, clock.now().date())


@router.put("/attendance")
async def record_attendance(caller: Manager, tx: Tx, id: UUID, body: Attendance, response: Response) -> ActivityView:
    """Record which clusters attended, in place of an earlier record. It can be corrected until the completion."""
    await require_host_permission(tx, caller, id)
    changed = await commands.record_attendance(tx, id, body, clock.now().date())
    etag(response, changed.version)
    return ActivityView.model_validate(changed)
