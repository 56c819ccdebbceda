"""The transport between services: a relay sends records over it, and it puts them into inboxes, at least once."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.events.envelope import Record


class TransportError(Exception):
    """The transport did not accept the records, or did not respond in time. They may or may not arrive; retry."""


class Receiver(Protocol):
    """What a transport delivers to: a consumer's inbox."""

    @property
    def consumer(self) -> str:
        """The consumer's name, also its Kafka group."""

    @property
    def topics(self) -> frozenset[str]:
        """The topics it wants."""

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        """Keep the records (topic, record) before this returns. May be called with the same ones again."""


class Transport(Protocol):
    """One interface for both transports. Order is kept for the records of one key."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Return when all the records are safe on the other side.

        Raises:
            WireError: when they are not, or it is not known, within the transport's deadline.
        """

    def attach(self, receiver: Receiver) -> None:
        """Deliver the receiver's topics to it once `run` begins; a later one with the same name takes its place."""

    def stalled(self) -> float:
        """Seconds for which there has been something to read and nothing was read.

        The absence of the other side or of the inbox's database does not count: a restart would not help.
        """

    def lag(self) -> Mapping[str, int]:
        """Records not yet read by this process, by topic; topics without a known lag may be missing."""

    def lost(self) -> Mapping[str, int]:
        """Records that were deleted before this process had read them, by topic: they have to be sent again."""

    async def run(self) -> None:
        """Move what must be moved, until cancelled. Survives the other side's absence."""

    async def close(self) -> None:
        """End within seconds, whatever state the other side is in."""
