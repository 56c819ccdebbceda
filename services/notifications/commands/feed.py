"""The public feed. It is this service's outbox: its events get positions and go to the public topic."""

from collections.abc import Sequence

from services.notifications.commands import notices
from shared import outbox
from shared.db import WriteSession
from shared.events import PUBLIC_TOPIC, Data, Event
from shared.events.envelope import mirrored


async def publish(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Append events of other services to the feed, unchanged, and create the notices for them."""
    await outbox.forward(tx, [mirrored(event) for event in events], PUBLIC_TOPIC)
    await notices.create_notices(tx, events)
