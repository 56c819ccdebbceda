"""What notifications does with the public events of all services."""

from collections.abc import Sequence

from services.notifications.commands import feed
from shared.db import WriteSession
from shared.events import Data, Event, registry
from shared.inbox import Consumer

consumer = Consumer("notifications")


@consumer.on_batch(*(entry.model for entry in registry().values() if entry.public))
async def on_public_event(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Publish the events in the feed."""
    await feed.publish(tx, events)
