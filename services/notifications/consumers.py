"""What notifications hears of: every public event there is."""

from collections.abc import Sequence

from services.notifications.commands import feed
from shared.db import WriteSession
from shared.events import Data, Event, registry
from shared.inbox import Consumer

consumer = Consumer("notifications")


@consumer.on_batch(*(entry.model for entry in registry().values() if entry.public))
async def on_public_event(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Put it into the feed."""
    await feed.publish(tx, events)
