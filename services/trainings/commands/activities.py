"""Activities from draft to completion."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from services.trainings.rules import completion
from services.trainings.rules.vocabulary import ActivityState, Kind, RegistrationState
from services.trainings.tables import Activity, Archived, Cluster, Registration
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound, Stale
from shared.events.registry import Data
from shared.events.trainings import ClusterGain, TaughtIndicator, TrainingCompleted, TrainingPublished


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is known of an activity beforehand."""

    kind: Kind
    title: str
    host_cluster_id: UUID
    place: str
    starts_on: date
    ends_on: date
    capacity: int
    teaches: list[dict[str, Any]]
    sector_groups: list[str]
    deliverables: list[str]
    topics: list[str]
    illustrative: list[str]

    def check(self) -> None:
        """Refuse a plan that makes no sense.

        Raises:
            Invalid: it ends before it starts.
        """
        if self.ends_on < self.starts_on:
            raise Invalid("ends-before-start", "An activity cannot end before it starts.", field="ends_on")


class Owner(NamedTuple):
    """Who answers for an activity."""

    cluster_id: UUID
    consortium_id: UUID


async def owner(tx: WriteSession, id: UUID) -> Owner:
    """The host of an activity.

    Raises:
        NotFound
    """
    columns = select(Activity.host_cluster_id, Activity.consortium_id).where(Activity.id == id)
    found = (await tx.execute(columns)).one_or_none()
    if found is None:
        raise NotFound("no-such-activity", "There is no such activity.")
    return Owner(*found)


async def consortium_of(tx: WriteSession, cluster_id: UUID, field: str) -> UUID:
    """The consortium of a cluster that is to take part in something; it leaves before that or after it.

    A cluster is locked before an activity, by whoever locks both.

    Raises:
        Invalid: the cluster is not known here, or not yet; it names `field`.
        Conflict: it has left.
    """
    held = select(Cluster.consortium_id).where(Cluster.id == cluster_id).with_for_update(read=True)
    found = await tx.scalar(held)
    if found is None:
        message = "No such cluster is known to trainings. If it was registered just now, try again in a moment."
        raise Invalid("unknown-cluster", message, field=field)
    if await tx.get(Archived, cluster_id):
        raise Conflict("archived", "This cluster has left; it takes part in nothing any more.", field=field)
    return found


async def create(tx: WriteSession, id: UUID, consortium_id: UUID, plan: Plan) -> Activity:
    """Draft an activity for a consortium.

    Raises:
        Invalid
    """
    plan.check()
    await _check_host(tx, plan.host_cluster_id, consortium_id)
    activity = Activity(id=id, consortium_id=consortium_id, **asdict(plan))
    tx.add(activity)
    await tx.flush()
    return activity


async def change(tx: WriteSession, id: UUID, expected_version: int, plan: Plan) -> Activity:
    """Replace what is planned; `expected_version` is the version the caller saw.

    Raises:
        NotFound, Stale, Invalid.
        Conflict: it is no draft any more.
    """
    plan.check()
    await _check_host(tx, plan.host_cluster_id, (await owner(tx, id)).consortium_id)
    activity = await locked(tx, id, expected_version)
    if activity.state != ActivityState.draft:
        raise Conflict("not-a-draft", f"The activity is {activity.state}; only a draft can be changed.")
    for name, value in asdict(plan).items():
        setattr(activity, name, value)
    activity.version += 1
    await tx.flush()
    return activity


async def _check_host(tx: WriteSession, cluster_id: UUID, consortium_id: UUID) -> None:
    if await consortium_of(tx, cluster_id, "host_cluster_id") != consortium_id:
        message = "The host has to be a cluster of the activity's consortium."
        raise Invalid("unknown-cluster", message, field="host_cluster_id")


async def publish(tx: WriteSession, id: UUID, expected_version: int) -> Activity:
    """Open a draft for registration.

    Raises:
        NotFound, Stale.
        Conflict: it is no draft any more.
    """
    activity = await locked(tx, id, expected_version)
    if activity.state != ActivityState.draft:
        raise Conflict("not-a-draft", f"The activity is {activity.state} already.")
    activity.state = ActivityState.published.value
    event = TrainingPublished(
        activity_id=activity.id,
        consortium_id=activity.consortium_id,
        kind=activity.kind,
        title=activity.title,
        host_cluster_id=activity.host_cluster_id,
        place=activity.place,
        starts_on=activity.starts_on,
        ends_on=activity.ends_on,
        capacity=activity.capacity,
        teaches=[TaughtIndicator(**one) for one in activity.teaches],
        sector_groups=activity.sector_groups,
        illustrative=activity.illustrative,
    )
    await told(tx, activity, [event])
    return activity


async def complete(tx: WriteSession, id: UUID, expected_version: int, today: date) -> Activity:
    """Say that the activity is over, and what everybody who was there gained.

    Raises:
        NotFound, Stale.
        Conflict: it is not open, has not begun, or it is not known of everybody whether they were there.
    """
    activity = await locked(tx, id, expected_version)
    require_open(activity)
    completion.check_begun(activity.starts_on, today)
    rows = await tx.execute(
        select(Registration.cluster_id, Registration.state, Cluster.name)
        .join(Cluster, Cluster.id == Registration.cluster_id)
        .where(Registration.activity_id == id)
        .order_by(Registration.queue)
    )
    seated = rows.all()
    completion.check_attendance([row.name for row in seated if row.state == RegistrationState.confirmed])
    attended = [row.cluster_id for row in seated if row.state == RegistrationState.attended]
    taught = [completion.Taught(**one) for one in activity.teaches]
    activity.state = ActivityState.completed.value
    event = TrainingCompleted(
        activity_id=id,
        consortium_id=activity.consortium_id,
        kind=activity.kind,
        host_cluster_id=activity.host_cluster_id,
        ended_on=activity.ends_on,
        attended=attended,
        gains=[ClusterGain(**asdict(one)) for one in completion.gains(attended, activity.host_cluster_id, taught)],
        illustrative=activity.illustrative,
    )
    await told(tx, activity, [event])
    return activity


async def locked(tx: WriteSession, id: UUID, expected_version: int | None = None) -> Activity:
    """The activity, its row locked until the end of the transaction.

    Raises:
        NotFound: no such activity.
        Stale: it is not at version `expected_version` any more.
    """
    activity = await tx.scalar(select(Activity).where(Activity.id == id).with_for_update())
    if activity is None:
        raise NotFound("no-such-activity", "There is no such activity.")
    if expected_version is not None and activity.version != expected_version:
        raise Stale(
            "stale", f"The activity has changed since: it is at version {activity.version}, not {expected_version}."
        )
    return activity


def require_open(activity: Activity) -> None:
    """Refuse what is only possible while the activity takes place.

    Raises:
        Conflict: the activity is a draft still, or completed.
    """
    if activity.state == ActivityState.draft:
        raise Conflict("not-open", f"{activity.title} is not published yet.")
    if activity.state == ActivityState.completed:
        raise Conflict("not-open", f"{activity.title} is over; nothing about it can be changed any more.")


async def told(tx: WriteSession, activity: Activity, events: list[Data]) -> None:
    """One change of a locked activity, with the events that tell of it."""
    activity.version += 1
    for event in events:
        activity.events += 1
        outbox.append(tx, event, version=activity.events)
    await tx.flush()
