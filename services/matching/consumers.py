"""What matching does with which event."""

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


@consumer.on(ClusterRegistered)
async def on_cluster_registered(tx: WriteSession, event: Event[ClusterRegistered]) -> None:
    """A new cluster, with its places."""
    data = event.data
    await projection.keep_cluster(tx, data, event.version)
    capacity = {"mentor": data.mentor_capacity, "learner": data.learner_capacity}
    await projection.keep_places(tx, data.cluster_id, capacity, event.version)


@consumer.on(ClusterChanged)
async def on_cluster_changed(tx: WriteSession, event: Event[ClusterChanged]) -> None:
    """Other facts about a cluster."""
    await projection.keep_cluster(tx, event.data, event.version)


@consumer.on(CapacityChanged)
async def on_capacity_changed(tx: WriteSession, event: Event[CapacityChanged]) -> None:
    """More or fewer places."""
    capacity = {"mentor": event.data.mentor_capacity, "learner": event.data.learner_capacity}
    await projection.keep_places(tx, event.data.cluster_id, capacity, event.version)


@consumer.on(AssessmentRecorded)
async def on_assessment_recorded(tx: WriteSession, event: Event[AssessmentRecorded]) -> None:
    """Other levels."""
    await projection.keep_levels(tx, event.data, event.version)


@consumer.on(TargetSet)
async def on_target_set(tx: WriteSession, event: Event[TargetSet]) -> None:
    """Another need."""
    await projection.keep_target(tx, event.data, event.version)


@consumer.on(ServiceRequested)
async def on_service_requested(tx: WriteSession, event: Event[ServiceRequested]) -> None:
    """A request: mentors are proposed at once."""
    await projection.keep_request(tx, event.data)
    await pairs.propose_for_request(tx, event.data)


@consumer.on(TrainingCompleted)
async def on_training_completed(tx: WriteSession, event: Event[TrainingCompleted]) -> None:
    """Gains, until assessments confirm them."""
    await projection.keep_gains(tx, event.data)
