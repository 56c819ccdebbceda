"""The transport between services delivers the records of a relay to inboxes, at least once."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.events.envelope import Record


class TransportError(Exception):
    """The transport did not accept the records, or did not respond in time. They may or may not arrive; retry."""


class Receiver(Protocol):
    """The target of a transport: the inbox of a consumer."""

    @property
    def consumer(self) -> str:
        """The consumer's name, also its Kafka group."""

    @property
    def topics(self) -> frozenset[str]:
        """The subscribed topics."""

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        """Store the (topic, record) pairs before this returns. May be called with the same ones again."""


class Transport(Protocol):
    """The interface of both transports. Records with the same key stay in order."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Return when all records are acknowledged.

        Raises:
            TransportError: no acknowledgement within the deadline of the transport.
        """

    def attach(self, receiver: Receiver) -> None:
        """Deliver its topics to the receiver while `run` runs; replaces a receiver of the same name."""

    def stalled(self) -> float:
        """Seconds for which records were available and none was read.

        An outage of the broker or of the inbox's database does not count: a restart would not help.
        """

    def lag(self) -> Mapping[str, int]:
        """Number of records that this process has not read, by topic; topics without a known lag may be missing."""

    def lost(self) -> Mapping[str, int]:
        """Number of records deleted before this process read them, by topic: they have to be replayed."""

    async def run(self) -> None:
        """Deliver records until cancelled. Survives an outage of the broker."""

    async def close(self) -> None:
        """Stop within seconds, in whatever state the broker is."""
