"""The public feed is this service's outbox: what is put there gets a position, and goes to the public topic."""

from collections.abc import Sequence

from services.notifications.commands import notices
from shared import outbox
from shared.db import WriteSession
from shared.events import PUBLIC_TOPIC, Data, Event
from shared.events.envelope import mirrored


async def publish(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Put events of others into the feed, unchanged, and note whom they concern."""
    await outbox.forward(tx, [mirrored(event) for event in events], PUBLIC_TOPIC)
    await notices.note(tx, events)
