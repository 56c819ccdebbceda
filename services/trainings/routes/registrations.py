"""`/activities/{id}/registrations` and `/activities/{id}/attendance`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.trainings.commands import activities
from services.trainings.commands import registrations as commands
from services.trainings.queries import activities as activity_queries
from services.trainings.queries import registrations as queries
from services.trainings.routes.activities import ActivityView, require_host, require_sight
from shared import clock
from shared.auth import Anyone, Manager
from shared.errors import Forbidden, NotFound
from shared.web import Page, Paging, Read, RequestModel, ResponseModel, Router, Tx, etag

router = Router(prefix="/activities/{id}")


class NewRegistration(RequestModel):
    """Seats for a cluster's people."""

    cluster_id: UUID
    seats: Annotated[int, Field(ge=1, le=20)] = 1


class RegistrationView(ResponseModel):
    """Seats that a cluster wants, has or had."""

    id: UUID
    activity_id: UUID
    cluster_id: UUID
    seats: int
    state: str
    queue: int = Field(description="the order of arrival, over all activities")
    place_in_queue: int | None = Field(description="1 is next; null for those who do not wait")
    registered_at: datetime


class Attendance(RequestModel):
    """Which clusters were there, and which were not. A cluster on neither list is open still."""

    present: Annotated[list[UUID], Field(max_length=500)]
    absent: Annotated[list[UUID], Field(max_length=500, default_factory=list)]


@router.post("/registrations", status_code=201)
async def register(caller: Manager, tx: Tx, id: UUID, body: NewRegistration, response: Response) -> RegistrationView:
    """Register a cluster: it has its seats at once, or a place in the queue."""
    await require_sight(tx, caller, id)
    consortium_id = await activities.consortium_of(tx, body.cluster_id, "cluster_id")
    if not caller.speaks_for(body.cluster_id, consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for this cluster.", field="cluster_id")
    placed = await commands.register(tx, clock.new_id(), id, body.cluster_id, body.seats)
    made = placed.registration
    response.headers["Location"] = "registrations"
    names = RegistrationView.model_fields.keys() - {"place_in_queue"}
    return RegistrationView(place_in_queue=placed.place_in_queue, **{name: getattr(made, name) for name in names})


@router.get("/registrations")
async def list_registrations(caller: Anyone, db: Read, id: UUID, paging: Paging) -> Page[RegistrationView]:
    """An activity's registrations in the order of arrival, cancelled ones included."""
    activity = await activity_queries.activity(db, id)
    if not caller.within(activity.consortium_id):
        raise NotFound("no-such-activity", "There is no such activity.")
    rows = await queries.registrations(db, id, paging.after, paging.limit + 1)
    return paging.page([RegistrationView.model_validate(row) for row in rows], lambda row: (row.queue,))


@router.delete("/registrations/{registration_id}", status_code=204)
async def cancel(caller: Manager, tx: Tx, id: UUID, registration_id: UUID) -> None:
    """Give up a registration. Its seats go to those who wait, first come, first served."""
    owner = await require_sight(tx, caller, id)
    cluster_id = await commands.cluster_of(tx, id, registration_id)
    if not caller.speaks_for(cluster_id, owner.consortium_id):
        raise Forbidden("not-your-cluster", "You may not act for this cluster.")
    await commands.cancel(tx, id, registration_id)


@router.put("/attendance")
async def record_attendance(caller: Manager, tx: Tx, id: UUID, body: Attendance, response: Response) -> ActivityView:
    """Record who was there, in place of what was recorded before. It can be corrected until the completion."""
    await require_host(tx, caller, id)
    activity = await commands.attend(tx, id, body.present, body.absent, clock.now().date())
    etag(response, activity.version)
    return ActivityView.model_validate(activity)
