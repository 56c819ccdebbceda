"""The transport of the embedded mode: from the relay straight into every subscriber's inbox, in one process.

Nothing is kept in memory: `send` returns when each inbox has committed, and the relay sends again when one failed.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from shared.events.envelope import Record
from shared.transport import Receiver, TransportError

DEADLINE = 5.0


class LocalTransport:
    """Delivers within the process. One instance is shared by all its services."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Insert the records into the inbox of every receiver that wants the topic."""
        wanting = [receiver for receiver in self._receivers.values() if topic in receiver.topics]
        named = [(topic, record) for record in records]
        try:
            async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
                for receiver in wanting:
                    group.create_task(receiver.receive(named))
        except* (SQLAlchemyError, OSError, TimeoutError) as errors:
            message = f"an inbox did not take {len(records)} records of {topic}: {errors.exceptions[0]}"
            raise TransportError(message) from errors

    def attach(self, receiver: Receiver) -> None:
        """Deliver to the receiver from now on."""
        self._receivers[receiver.consumer] = receiver

    def stalled(self) -> float:
        """Nothing is ever between the relay and the inboxes."""
        return 0.0

    def lag(self) -> Mapping[str, int]:
        """Likewise."""
        return {}

    def lost(self) -> Mapping[str, int]:
        """Likewise."""
        return {}

    async def run(self) -> None:
        """There is nothing to move: `send` delivers."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """There is nothing to close: the inboxes are others'."""
