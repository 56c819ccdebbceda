"""Registrations and attendance. Each command locks the activity first, so that seats are given in one order."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select

from services.trainings.commands.activities import lock_activity, publish_change, require_open
from services.trainings.commands.clusters import require_active_cluster
from services.trainings.rules import completion
from services.trainings.rules.seats import QueueEntry, Seats, decide, promote
from services.trainings.rules.vocabulary import RegistrationState
from services.trainings.tables import Activity, Archived, Registration
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound
from shared.events.registry import Data
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted
from shared.schemas import RequestModel

_SEATED_STATES = (RegistrationState.confirmed, RegistrationState.attended, RegistrationState.absent)


class NewRegistration(RequestModel):
    """Seats for a cluster's people."""

    cluster_id: UUID
    seats: Annotated[int, Field(ge=1, le=20)] = 1


class Attendance(RequestModel):
    """The clusters that attended, and those that did not. The attendance of other clusters stays open."""

    present: Annotated[list[UUID], Field(max_length=500)]
    absent: Annotated[list[UUID], Field(max_length=500, default_factory=list)]


async def register(
    tx: WriteSession, id: UUID, activity_id: UUID, new: NewRegistration, today: date | None = None
) -> Registration:
    """Give a cluster seats, or put it at the end of the queue.

    Args:
        tx: the transaction.
        id: of the new registration.
        activity_id: the activity.
        new: cluster and seats.
        today: the activity may not have ended before this day; None to record history.

    Raises:
        NotFound: no such activity.
        Conflict: it is not open or over, or the cluster is registered already or has left.
        Invalid: the cluster is not of this consortium, or the activity has fewer seats.
    """
    activity = await lock_activity(tx, activity_id)
    require_open(activity)
    if today is not None:
        completion.check_not_over(activity.ends_on, today)
    if await require_active_cluster(tx, new.cluster_id, "cluster_id") != activity.consortium_id:
        message = "The cluster is not of the consortium that the activity is for."
        raise Invalid("unknown-cluster", message, field="cluster_id")
    active = await _active(tx, activity_id)
    if any(registration.cluster_id == new.cluster_id for registration in active):
        message = f"The cluster is registered for {activity.title} already."
        raise Conflict("already-registered", message, field="cluster_id")
    completion.check_cluster_count(len(active), len(activity.teaches))
    queue_length = sum(registration.state == RegistrationState.waitlisted for registration in active)
    state = decide(new.seats, Seats(activity.capacity, activity.seats_taken), queue_length)
    registration = Registration(id=id, activity_id=activity_id, state=state.value, **new.model_dump())
    tx.add(registration)
    if state is RegistrationState.confirmed:
        activity.seats_taken += new.seats
        await publish_change(tx, activity, [_confirmed(activity, registration)])
    else:
        registration.place_in_queue = queue_length + 1
        await publish_change(tx, activity, [_waitlisted(activity, registration, queue_length + 1)])
    return registration


async def cancel(tx: WriteSession, activity_id: UUID, id: UUID, today: date) -> None:
    """Cancel a registration; its seats go to the clusters that wait, unless the activity ended before `today`.

    To cancel it again has no effect.

    Raises:
        NotFound: no such registration.
        Conflict: the activity is over, or the attendance of the cluster is recorded.
    """
    activity = await lock_activity(tx, activity_id)
    registration = await tx.get(Registration, id)
    if registration is None or registration.activity_id != activity_id:
        raise NotFound("no-such-registration", "There is no such registration.")
    if registration.state == RegistrationState.cancelled:
        return
    require_open(activity)
    if registration.state in {RegistrationState.attended, RegistrationState.absent}:
        message = "The attendance of the cluster is recorded. Correct the attendance before cancelling."
        raise Conflict("attendance-recorded", message)
    if registration.state == RegistrationState.confirmed:
        activity.seats_taken -= registration.seats
    registration.state = RegistrationState.cancelled.value
    await publish_change(tx, activity, [] if activity.ends_on < today else await _promote(tx, activity))


async def record_attendance(tx: WriteSession, activity_id: UUID, attendance: Attendance, today: date) -> Activity:
    """Record which clusters attended, in place of what was recorded before.

    Raises:
        NotFound: no such activity.
        Conflict: it is not open, or has not begun.
        Invalid: a cluster is on both lists, or has no seats.
    """
    activity = await lock_activity(tx, activity_id)
    require_open(activity)
    completion.check_begun(activity.starts_on, today)
    seated = [registration for registration in await _active(tx, activity_id) if registration.state in _SEATED_STATES]
    completion.check_attendance_lists(
        attendance.present, attendance.absent, [registration.cluster_id for registration in seated]
    )
    present, absent = set(attendance.present), set(attendance.absent)
    for registration in seated:
        registration.state = RegistrationState.confirmed.value
        if registration.cluster_id in present:
            registration.state = RegistrationState.attended.value
        elif registration.cluster_id in absent:
            registration.state = RegistrationState.absent.value
    await publish_change(tx, activity, [])
    return activity


async def cluster_of(tx: WriteSession, activity_id: UUID, id: UUID) -> UUID:
    """The cluster of a registration.

    Raises:
        NotFound
    """
    cluster_id = await tx.scalar(
        select(Registration.cluster_id).where(Registration.id == id, Registration.activity_id == activity_id)
    )
    if cluster_id is None:
        raise NotFound("no-such-registration", "There is no such registration.")
    return cluster_id


async def _active(tx: WriteSession, activity_id: UUID) -> Sequence[Registration]:
    """The registrations that are not cancelled, in order of arrival."""
    query = select(Registration).where(Registration.activity_id == activity_id).order_by(Registration.queue)
    return (await tx.scalars(query.where(Registration.state != RegistrationState.cancelled))).all()


async def _promote(tx: WriteSession, activity: Activity) -> list[Data]:
    """Give the free seats to the queue, without clusters that have left; return the events of those that got seats."""
    await tx.flush()
    active = await _active(tx, activity.id)
    archived = select(Archived.cluster_id).where(Archived.cluster_id.in_([row.cluster_id for row in active]))
    left = set(await tx.scalars(archived))
    queue = [
        registration
        for registration in active
        if registration.state == RegistrationState.waitlisted and registration.cluster_id not in left
    ]
    free = Seats(activity.capacity, activity.seats_taken).free
    promoted = set(promote(free, [QueueEntry(registration.id, registration.seats) for registration in queue]))
    events: list[Data] = []
    for registration in queue:
        if registration.id in promoted:
            registration.state = RegistrationState.confirmed.value
            activity.seats_taken += registration.seats
            events.append(_confirmed(activity, registration))
    return events


def _confirmed(activity: Activity, registration: Registration) -> RegistrationConfirmed:
    return RegistrationConfirmed(
        activity_id=activity.id,
        consortium_id=activity.consortium_id,
        registration_id=registration.id,
        cluster_id=registration.cluster_id,
        seats=registration.seats,
    )


def _waitlisted(activity: Activity, registration: Registration, place_in_queue: int) -> RegistrationWaitlisted:
    return RegistrationWaitlisted(
        activity_id=activity.id,
        consortium_id=activity.consortium_id,
        registration_id=registration.id,
        cluster_id=registration.cluster_id,
        seats=registration.seats,
        place_in_queue=place_in_queue,
    )
