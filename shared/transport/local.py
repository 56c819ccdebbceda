"""The transport of the embedded mode: from the relay directly to the inboxes, in one process.

Nothing is buffered: `send` returns when each inbox has committed, and the relay sends again after a failure.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from shared.events.envelope import Record
from shared.transport import Receiver, TransportError

DEADLINE = 5.0


class LocalTransport:
    """Delivers within the process; all its services share one instance."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Insert the records into the inbox of every receiver of the topic."""
        interested = [receiver for receiver in self._receivers.values() if topic in receiver.topics]
        pairs = [(topic, record) for record in records]
        try:
            async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
                for receiver in interested:
                    group.create_task(receiver.receive(pairs))
        except* (SQLAlchemyError, OSError, TimeoutError) as errors:
            message = f"an inbox did not store {len(records)} records of {topic}: {errors.exceptions[0]}"
            raise TransportError(message) from errors

    def attach(self, receiver: Receiver) -> None:
        """Deliver to the receiver from now on."""
        self._receivers[receiver.consumer] = receiver

    def stalled(self) -> float:
        """Always 0: no record is between the relay and the inboxes."""
        return 0.0

    def lag(self) -> Mapping[str, int]:
        """Always empty."""
        return {}

    def lost(self) -> Mapping[str, int]:
        """Always empty."""
        return {}

    async def run(self) -> None:
        """Wait: `send` delivers."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to close."""
