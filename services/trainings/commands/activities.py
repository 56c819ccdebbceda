"""Activities from draft to completion."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import select

from services.trainings.commands.clusters import require_active_cluster
from services.trainings.rules import completion
from services.trainings.rules.vocabulary import ActivityKind, ActivityState, RegistrationState
from services.trainings.tables import Activity, Cluster, Registration
from shared import outbox
from shared.dates import Day
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound, Stale
from shared.events.registry import Data
from shared.events.trainings import ClusterGain, TrainingCompleted, TrainingPublished
from shared.schemas import Name, RequestModel, Slug


class TaughtIndicator(RequestModel):
    """An indicator that is taught, with the planned gain in levels of the framework's scale."""

    framework: Slug
    indicator: Slug
    gain: Annotated[int, Field(ge=1, le=100)]


class ActivityFacts(RequestModel):
    """What is planned for an activity."""

    kind: ActivityKind
    title: Name
    host_cluster_id: UUID
    place: Name
    starts_on: Day
    ends_on: Day
    capacity: Annotated[int, Field(ge=1, le=10_000, description="seats")]
    teaches: Annotated[list[TaughtIndicator], Field(max_length=10, default_factory=list)]
    sector_groups: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    deliverables: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    topics: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    illustrative: Annotated[
        list[Slug], Field(max_length=30, default_factory=list, description="fields without a public source")
    ]


class NewActivity(ActivityFacts):
    """An activity to be drafted."""

    consortium_id: UUID


class Host(NamedTuple):
    """The cluster that hosts an activity, and its consortium."""

    cluster_id: UUID
    consortium_id: UUID


async def host_of(tx: WriteSession, id: UUID) -> Host:
    """The host of an activity.

    Raises:
        NotFound
    """
    columns = select(Activity.host_cluster_id, Activity.consortium_id).where(Activity.id == id)
    row = (await tx.execute(columns)).one_or_none()
    if row is None:
        raise NotFound("no-such-activity", "There is no such activity.")
    return Host(*row)


async def draft(tx: WriteSession, id: UUID, new: NewActivity) -> Activity:
    """Draft an activity for a consortium.

    Raises:
        Invalid: it ends before it starts, or the host is not of the consortium.
        Conflict: the host has left.
    """
    await _check(tx, new, new.consortium_id)
    activity = Activity(id=id, **new.model_dump())
    tx.add(activity)
    await tx.flush()
    return activity


async def change(tx: WriteSession, id: UUID, expected_version: int, facts: ActivityFacts) -> Activity:
    """Replace what is planned for a draft.

    Raises:
        NotFound, Stale.
        Invalid: as for a new draft.
        Conflict: it is not a draft, or the host has left.
    """
    await _check(tx, facts, (await host_of(tx, id)).consortium_id)
    activity = await lock_activity(tx, id, expected_version)
    if activity.state != ActivityState.draft:
        raise Conflict("not-a-draft", f"The activity is {activity.state}; only a draft can be changed.")
    for name, value in facts.model_dump().items():
        setattr(activity, name, value)
    await publish_change(tx, activity, [])
    return activity


async def _check(tx: WriteSession, facts: ActivityFacts, consortium_id: UUID) -> None:
    if facts.ends_on < facts.starts_on:
        raise Invalid("ends-before-start", "An activity cannot end before it starts.", field="ends_on")
    if await require_active_cluster(tx, facts.host_cluster_id, "host_cluster_id") != consortium_id:
        message = "The host has to be a cluster of the activity's consortium."
        raise Invalid("unknown-cluster", message, field="host_cluster_id")


async def publish(tx: WriteSession, id: UUID, expected_version: int) -> Activity:
    """Open a draft for registration.

    Raises:
        NotFound, Stale.
        Conflict: it is not a draft.
    """
    activity = await lock_activity(tx, id, expected_version)
    if activity.state != ActivityState.draft:
        raise Conflict("not-a-draft", f"The activity is {activity.state} already.")
    activity.state = ActivityState.published.value
    await publish_change(tx, activity, [TrainingPublished.model_validate(activity, from_attributes=True)])
    return activity


async def complete(tx: WriteSession, id: UUID, expected_version: int, today: date) -> Activity:
    """Complete an activity; the clusters that attended have gained what it taught.

    Raises:
        NotFound, Stale.
        Conflict: it is not open or has not begun, or the attendance of a cluster is not recorded.
    """
    activity = await lock_activity(tx, id, expected_version)
    require_open(activity)
    completion.check_begun(activity.starts_on, today)
    rows = await tx.execute(
        select(Registration.cluster_id, Registration.state, Cluster.name)
        .join(Cluster, Cluster.id == Registration.cluster_id)
        .where(Registration.activity_id == id)
        .order_by(Registration.queue)
    )
    registrations = rows.all()
    completion.check_attendance_recorded(
        [row.name for row in registrations if row.state == RegistrationState.confirmed]
    )
    attended = [row.cluster_id for row in registrations if row.state == RegistrationState.attended]
    taught = [completion.TaughtIndicator(**indicator) for indicator in activity.teaches]
    gains = completion.gains(attended, activity.host_cluster_id, taught)
    activity.state = ActivityState.completed.value
    event = TrainingCompleted(
        activity_id=id,
        consortium_id=activity.consortium_id,
        kind=activity.kind,
        host_cluster_id=activity.host_cluster_id,
        ended_on=activity.ends_on,
        attended=attended,
        gains=[ClusterGain(**asdict(gain)) for gain in gains],
        illustrative=activity.illustrative,
    )
    await publish_change(tx, activity, [event])
    return activity


async def lock_activity(tx: WriteSession, id: UUID, expected_version: int | None = None) -> Activity:
    """The activity, with its row locked until the end of the transaction.

    Raises:
        NotFound: no such activity.
        Stale: its version is not `expected_version`.
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
    """Refuse unless the activity is published and not completed.

    Raises:
        Conflict
    """
    if activity.state == ActivityState.draft:
        raise Conflict("not-open", f"{activity.title} is not published yet.")
    if activity.state == ActivityState.completed:
        raise Conflict("not-open", f"{activity.title} is completed; it cannot be changed any more.")


async def publish_change(tx: WriteSession, activity: Activity, events: list[Data]) -> None:
    """Increment the version of a locked activity, append the events of the change, and flush."""
    activity.version += 1
    for event in events:
        activity.event_version += 1
        outbox.append(tx, event, version=activity.event_version)
    await tx.flush()
