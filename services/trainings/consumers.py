"""What trainings learns from others: the clusters' names and consortia, and which have left."""

from collections.abc import Sequence

from services.trainings.commands import clusters
from services.trainings.commands.cluster_departure import leave
from shared import clock
from shared.db import WriteSession
from shared.events import Event
from shared.events.members import ClusterArchived, ClusterChanged, ClusterRegistered
from shared.inbox import Consumer

consumer = Consumer("trainings")


@consumer.on_batch(ClusterRegistered, ClusterChanged)
async def on_cluster(tx: WriteSession, events: Sequence[Event[ClusterRegistered | ClusterChanged]]) -> None:
    """Keep the copy of each cluster."""
    copies = [
        clusters.Copy(event.key, event.data.consortium_id, event.data.slug, event.data.name, event.version)
        for event in events
    ]
    await clusters.keep(tx, copies)


@consumer.on_batch(ClusterArchived)
async def on_cluster_archived(tx: WriteSession, events: Sequence[Event[ClusterArchived]]) -> None:
    """A cluster that has left registers for nothing, and others get its seats."""
    await leave(tx, [event.data.cluster_id for event in events], clock.now().date())
