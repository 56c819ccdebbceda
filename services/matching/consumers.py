"""What matching does with which event."""

from collections.abc import Sequence
from typing import Any

from services.matching.commands import cluster_departure, mentorship_outcomes, projection, proposals, replan
from services.matching.commands.replan import ConsortiumCause
from shared import clock
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.matching import Cause
from shared.events.members import (
    AssessmentRecorded,
    CapacityChanged,
    ClusterArchived,
    ClusterChanged,
    ClusterRegistered,
    LabelExpired,
    ServiceRequested,
    TargetSet,
)
from shared.events.trainings import TrainingCompleted, TrainingPublished
from shared.inbox import Consumer

consumer = Consumer("matching")


@consumer.on_batch(ClusterRegistered, ClusterChanged, CapacityChanged)
async def on_cluster(
    tx: WriteSession, events: Sequence[Event[ClusterRegistered | ClusterChanged | CapacityChanged]]
) -> None:
    """Who the clusters are, and their places; requests that came before their cluster are answered."""
    facts = [(one.data, one.version) for one in events if not isinstance(one.data, CapacityChanged)]
    await projection.upsert_clusters(tx, facts)
    capacities = [(one.data, one.version) for one in events if not isinstance(one.data, ClusterChanged)]
    await projection.upsert_slots(tx, capacities)
    await replan.record_causes(tx, _caused(events))
    new = [one.data.cluster_id for one in events if isinstance(one.data, ClusterRegistered)]
    if new:
        await proposals.propose_for_requests(tx, await proposals.unresolved_requests(tx, new), clock.now())


@consumer.on_batch(ClusterArchived)
async def on_cluster_archived(tx: WriteSession, events: Sequence[Event[ClusterArchived]]) -> None:
    """A cluster that left is planned for no longer, and what it was part of ends."""
    await projection.project_archived(tx, [one.data for one in events])
    await cluster_departure.end_pairs(
        tx, [(one.data.cluster_id, one.data.consortium_id) for one in events], clock.now()
    )
    await replan.record_causes(tx, _caused(events))


@consumer.on_batch(LabelExpired)
async def on_label_expired(tx: WriteSession, events: Sequence[Event[LabelExpired]]) -> None:
    """A label ends on its day, which is known; that the day is over may be worth a new plan."""
    await replan.record_causes(tx, _caused(events))


@consumer.on_batch(AssessmentRecorded)
async def on_assessment_recorded(tx: WriteSession, events: Sequence[Event[AssessmentRecorded]]) -> None:
    """Other levels; they confirm the gain of mentorships that are over."""
    await projection.upsert_levels(tx, [(one.data, one.version) for one in events])
    await mentorship_outcomes.confirm_by_assessments(tx, [one.data for one in events], clock.now())
    await replan.record_causes(tx, _caused(events))


@consumer.on_batch(TargetSet)
async def on_target_set(tx: WriteSession, events: Sequence[Event[TargetSet]]) -> None:
    """Other needs."""
    await projection.upsert_targets(tx, [(one.data, one.version) for one in events])
    await replan.record_causes(tx, _caused(events))


@consumer.on_batch(ServiceRequested)
async def on_service_requested(tx: WriteSession, events: Sequence[Event[ServiceRequested]]) -> None:
    """Requests: mentors are proposed at once."""
    await proposals.propose_for_requests(tx, await projection.project_requests(tx, events), clock.now())


@consumer.on_batch(TrainingPublished)
async def on_training_published(tx: WriteSession, events: Sequence[Event[TrainingPublished]]) -> None:
    """What others can join."""
    await projection.project_activities(tx, [one.data for one in events])


@consumer.on_batch(TrainingCompleted)
async def on_training_completed(tx: WriteSession, events: Sequence[Event[TrainingCompleted]]) -> None:
    """Gains, until assessments confirm them."""
    await projection.project_gains(tx, [one.data for one in events])
    caused = [
        ConsortiumCause(one.data.consortium_id, Cause(event_id=one.id, type=one.type, cluster_id=cluster_id))
        for one in events
        for cluster_id in dict.fromkeys(gain.cluster_id for gain in one.data.gains)
    ]
    await replan.record_causes(tx, caused)


def _caused(events: Sequence[Event[Any]]) -> list[ConsortiumCause]:
    """As causes of a plan."""
    return [
        ConsortiumCause(one.data.consortium_id, Cause(event_id=one.id, type=one.type, cluster_id=one.data.cluster_id))
        for one in events
    ]
