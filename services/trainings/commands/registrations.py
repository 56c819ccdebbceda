"""Registrations and attendance. Each locks its activity first, so seats are given in one order and never twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from services.trainings.commands.activities import consortium_of, locked, require_open, told
from services.trainings.rules import completion
from services.trainings.rules.seats import Seats, Waiting, decide, promote
from services.trainings.rules.vocabulary import RegistrationState
from services.trainings.tables import Activity, Registration
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound
from shared.events.registry import Data
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted

_SEATED = (RegistrationState.confirmed, RegistrationState.attended, RegistrationState.absent)


@dataclass(frozen=True, slots=True)
class Placed:
    """A registration and, if it waits, its place in the queue: 1 is next."""

    registration: Registration
    place_in_queue: int | None


async def register(tx: WriteSession, id: UUID, activity_id: UUID, cluster_id: UUID, seats: int) -> Placed:
    """Give a cluster its seats, or a place in the queue.

    Raises:
        NotFound: no such activity.
        Conflict: it is not open, or the cluster is registered already.
        Invalid: the cluster is not of this consortium, or the activity has fewer seats.
    """
    activity = await locked(tx, activity_id)
    require_open(activity)
    if await consortium_of(tx, cluster_id, "cluster_id") != activity.consortium_id:
        message = "The cluster is not of the consortium that the activity is for."
        raise Invalid("unknown-cluster", message, field="cluster_id")
    live = await _live(tx, activity_id)
    if any(one.cluster_id == cluster_id for one in live):
        message = f"The cluster is registered for {activity.title} already."
        raise Conflict("already-registered", message, field="cluster_id")
    completion.check_room(len(live), len(activity.teaches))
    waiting = sum(one.state == RegistrationState.waitlisted for one in live)
    state = decide(seats, Seats(activity.capacity, activity.seats_taken), waiting)
    made = Registration(id=id, activity_id=activity_id, cluster_id=cluster_id, seats=seats, state=state.value)
    tx.add(made)
    if state is RegistrationState.confirmed:
        activity.seats_taken += seats
        await told(tx, activity, [_confirmed(activity, made)])
        return Placed(made, None)
    await told(tx, activity, [_waitlisted(activity, made, waiting + 1)])
    return Placed(made, waiting + 1)


async def cancel(tx: WriteSession, activity_id: UUID, id: UUID) -> None:
    """Give up a registration; its seats go to those who wait. What is cancelled already stays so.

    Raises:
        NotFound: no such registration.
        Conflict: the activity is over, or it is recorded whether the cluster was there.
    """
    activity = await locked(tx, activity_id)
    registration = await tx.get(Registration, id)
    if registration is None or registration.activity_id != activity_id:
        raise NotFound("no-such-registration", "There is no such registration.")
    if registration.state == RegistrationState.cancelled:
        return
    require_open(activity)
    if registration.state in {RegistrationState.attended, RegistrationState.absent}:
        message = "It is recorded whether the cluster was there. Correct the attendance before cancelling."
        raise Conflict("attendance-recorded", message)
    if registration.state == RegistrationState.confirmed:
        activity.seats_taken -= registration.seats
    registration.state = RegistrationState.cancelled.value
    await told(tx, activity, await _promoted(tx, activity))


async def attend(
    tx: WriteSession, activity_id: UUID, present: Sequence[UUID], absent: Sequence[UUID], today: date
) -> Activity:
    """Record which clusters were there and which were not, in place of what was recorded before.

    Raises:
        NotFound: no such activity.
        Conflict: it is not open, or has not begun.
        Invalid: a cluster is on both lists, or has no seats.
    """
    activity = await locked(tx, activity_id)
    require_open(activity)
    completion.check_begun(activity.starts_on, today)
    seated = [one for one in await _live(tx, activity_id) if one.state in _SEATED]
    completion.check_lists(present, absent, [one.cluster_id for one in seated])
    there, away = set(present), set(absent)
    for one in seated:
        one.state = RegistrationState.confirmed.value
        if one.cluster_id in there:
            one.state = RegistrationState.attended.value
        elif one.cluster_id in away:
            one.state = RegistrationState.absent.value
    await told(tx, activity, [])
    return activity


async def cluster_of(tx: WriteSession, activity_id: UUID, id: UUID) -> UUID:
    """The cluster of a registration.

    Raises:
        NotFound
    """
    found = await tx.scalar(
        select(Registration.cluster_id).where(Registration.id == id, Registration.activity_id == activity_id)
    )
    if found is None:
        raise NotFound("no-such-registration", "There is no such registration.")
    return found


async def _live(tx: WriteSession, activity_id: UUID) -> Sequence[Registration]:
    """All that are not cancelled, in the order of arrival."""
    query = select(Registration).where(Registration.activity_id == activity_id).order_by(Registration.queue)
    return (await tx.scalars(query.where(Registration.state != RegistrationState.cancelled))).all()


async def _promoted(tx: WriteSession, activity: Activity) -> list[Data]:
    """Give the free seats to the queue; the events that tell so."""
    await tx.flush()
    queue = [one for one in await _live(tx, activity.id) if one.state == RegistrationState.waitlisted]
    free = Seats(activity.capacity, activity.seats_taken).free
    chosen = set(promote(free, [Waiting(one.id, one.seats) for one in queue]))
    events: list[Data] = []
    for one in queue:
        if one.id in chosen:
            one.state = RegistrationState.confirmed.value
            activity.seats_taken += one.seats
            events.append(_confirmed(activity, one))
    return events


def _confirmed(activity: Activity, one: Registration) -> RegistrationConfirmed:
    return RegistrationConfirmed(
        activity_id=activity.id,
        consortium_id=activity.consortium_id,
        registration_id=one.id,
        cluster_id=one.cluster_id,
        seats=one.seats,
    )


def _waitlisted(activity: Activity, one: Registration, place: int) -> RegistrationWaitlisted:
    return RegistrationWaitlisted(
        activity_id=activity.id,
        consortium_id=activity.consortium_id,
        registration_id=one.id,
        cluster_id=one.cluster_id,
        seats=one.seats,
        place_in_queue=place,
    )
