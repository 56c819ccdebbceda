"""What trainings learns from others: the clusters' names and consortia."""

from collections.abc import Sequence

from services.trainings.commands import clusters
from shared.db import WriteSession
from shared.events import Event
from shared.events.members import ClusterChanged, ClusterRegistered
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
