"""What trainings does with the events of members."""

from collections.abc import Sequence

from services.trainings.commands.cluster_departure import archive_clusters
from services.trainings.commands.clusters import ClusterCopy, upsert_clusters
from shared import clock
from shared.db import WriteSession
from shared.events import Event
from shared.events.members import ClusterArchived, ClusterChanged, ClusterRegistered
from shared.inbox import Consumer

consumer = Consumer("trainings")


@consumer.on_batch(ClusterRegistered, ClusterChanged)
async def on_cluster(tx: WriteSession, events: Sequence[Event[ClusterRegistered | ClusterChanged]]) -> None:
    """Store a copy of each cluster."""
    copies = [
        ClusterCopy(event.key, event.data.consortium_id, event.data.slug, event.data.name, event.version)
        for event in events
    ]
    await upsert_clusters(tx, copies)


@consumer.on_batch(ClusterArchived)
async def on_cluster_archived(tx: WriteSession, events: Sequence[Event[ClusterArchived]]) -> None:
    """Cancel the registrations of clusters that have left."""
    await archive_clusters(tx, [event.data.cluster_id for event in events], clock.now().date())
