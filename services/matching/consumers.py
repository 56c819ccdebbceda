"""Handlers of the events that matching consumes."""

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
    """Project clusters and slots, and resolve service requests that arrived before their cluster."""
    facts = [(event.data, event.version) for event in events if not isinstance(event.data, CapacityChanged)]
    await projection.upsert_clusters(tx, facts)
    capacities = [(event.data, event.version) for event in events if not isinstance(event.data, ClusterChanged)]
    await projection.upsert_slots(tx, capacities)
    await replan.record_causes(tx, _causes(events))
    registered = [event.data.cluster_id for event in events if isinstance(event.data, ClusterRegistered)]
    if registered:
        requests = await proposals.unresolved_requests(tx, registered)
        await proposals.propose_for_requests(tx, requests, clock.now())


@consumer.on_batch(ClusterArchived)
async def on_cluster_archived(tx: WriteSession, events: Sequence[Event[ClusterArchived]]) -> None:
    """Project archived clusters, and end their pairs."""
    await projection.project_archived(tx, [event.data for event in events])
    archived = [(event.data.cluster_id, event.data.consortium_id) for event in events]
    await cluster_departure.end_pairs(tx, archived, clock.now())
    await replan.record_causes(tx, _causes(events))


@consumer.on_batch(LabelExpired)
async def on_label_expired(tx: WriteSession, events: Sequence[Event[LabelExpired]]) -> None:
    """Record a replan cause. The projection has the last valid day of the label already."""
    await replan.record_causes(tx, _causes(events))


@consumer.on_batch(AssessmentRecorded)
async def on_assessment_recorded(tx: WriteSession, events: Sequence[Event[AssessmentRecorded]]) -> None:
    """Project levels, and confirm the goals of mentorships that have ended."""
    await projection.upsert_levels(tx, [(event.data, event.version) for event in events])
    await mentorship_outcomes.confirm_by_assessments(tx, [event.data for event in events], clock.now())
    await replan.record_causes(tx, _causes(events))


@consumer.on_batch(TargetSet)
async def on_target_set(tx: WriteSession, events: Sequence[Event[TargetSet]]) -> None:
    """Project targets."""
    await projection.upsert_targets(tx, [(event.data, event.version) for event in events])
    await replan.record_causes(tx, _causes(events))


@consumer.on_batch(ServiceRequested)
async def on_service_requested(tx: WriteSession, events: Sequence[Event[ServiceRequested]]) -> None:
    """Project service requests, and propose mentors at once."""
    await proposals.propose_for_requests(tx, await projection.project_requests(tx, events), clock.now())


@consumer.on_batch(TrainingPublished)
async def on_training_published(tx: WriteSession, events: Sequence[Event[TrainingPublished]]) -> None:
    """Project activities."""
    await projection.project_activities(tx, [event.data for event in events])


@consumer.on_batch(TrainingCompleted)
async def on_training_completed(tx: WriteSession, events: Sequence[Event[TrainingCompleted]]) -> None:
    """Project gains, which are provisional until an assessment confirms them."""
    await projection.project_gains(tx, [event.data for event in events])
    causes = [
        ConsortiumCause(event.data.consortium_id, Cause(event_id=event.id, type=event.type, cluster_id=cluster_id))
        for event in events
        for cluster_id in dict.fromkeys(gain.cluster_id for gain in event.data.gains)
    ]
    await replan.record_causes(tx, causes)


def _causes(events: Sequence[Event[Any]]) -> list[ConsortiumCause]:
    """Each event as a cause of a replan."""
    return [
        ConsortiumCause(
            event.data.consortium_id, Cause(event_id=event.id, type=event.type, cluster_id=event.data.cluster_id)
        )
        for event in events
    ]
