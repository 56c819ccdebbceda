"""What matching does with which event."""

from collections.abc import Sequence

from services.matching.commands import pairs, projection
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.members import (
    AssessmentRecorded,
    CapacityChanged,
    ClusterChanged,
    ClusterRegistered,
    ServiceRequested,
    TargetSet,
)
from shared.events.trainings import TrainingCompleted
from shared.inbox import Consumer

consumer = Consumer("matching")


@consumer.on_batch(ClusterRegistered, ClusterChanged, CapacityChanged)
async def on_cluster(
    tx: WriteSession, events: Sequence[Event[ClusterRegistered | ClusterChanged | CapacityChanged]]
) -> None:
    """Who the clusters are, and their places."""
    facts = [(one.data, one.version) for one in events if not isinstance(one.data, CapacityChanged)]
    await projection.keep_clusters(tx, facts)
    capacities = [(one.data, one.version) for one in events if not isinstance(one.data, ClusterChanged)]
    await projection.keep_places(tx, capacities)


@consumer.on_batch(AssessmentRecorded)
async def on_assessment_recorded(tx: WriteSession, events: Sequence[Event[AssessmentRecorded]]) -> None:
    """Other levels."""
    await projection.keep_levels(tx, [(one.data, one.version) for one in events])


@consumer.on_batch(TargetSet)
async def on_target_set(tx: WriteSession, events: Sequence[Event[TargetSet]]) -> None:
    """Other needs."""
    await projection.keep_targets(tx, [(one.data, one.version) for one in events])


@consumer.on(ServiceRequested)
async def on_service_requested(tx: WriteSession, event: Event[ServiceRequested]) -> None:
    """A request: mentors are proposed at once."""
    await projection.keep_request(tx, event.data, event.time.date())
    await pairs.propose_for_request(tx, event.data, event.time.date())


@consumer.on_batch(TrainingCompleted)
async def on_training_completed(tx: WriteSession, events: Sequence[Event[TrainingCompleted]]) -> None:
    """Gains, until assessments confirm them."""
    await projection.keep_gains(tx, [one.data for one in events])
