"""Wires and receivers around real ones that stop, wait or count at one point of the way."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from shared.events.envelope import Record
from shared.transport import Receiver, Transport, TransportError


class WireAround:
    """Does what the transport inside does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        await self._transport.send(topic, records)

    def attach(self, receiver: Receiver) -> None:
        self._transport.attach(receiver)

    def stalled(self) -> float:
        return self._transport.stalled()

    def lag(self) -> Mapping[str, int]:
        return self._transport.lag()

    def lost(self) -> Mapping[str, int]:
        return self._transport.lost()

    async def run(self) -> None:
        await self._transport.run()

    async def close(self) -> None:
        await self._transport.close()


class BreakingWire(WireAround):
    """Its `send` stops for good at one point, as a crash would."""

    def __init__(self, transport: Transport, *, before: bool) -> None:
        super().__init__(transport)
        self._before = before
        self.reached = asyncio.Event()

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if not self._before:
            await super().send(topic, records)
        self.reached.set()
        await asyncio.Event().wait()


class FreezingWire(WireAround):
    """Its first `send` waits until it is woken, then goes through."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.frozen, self.woken, self.through = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.sent = 0

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        self.frozen.set()
        await self.woken.wait()
        await super().send(topic, records)
        self.sent += len(records)
        self.through.set()


class CountingWire(WireAround):
    """Counts what goes over it, and keeps it."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.records: list[Record] = []

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        await super().send(topic, records)
        self.records += records


class RefusingWire(WireAround):
    """Takes nothing while it refuses, and says so at once."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.refusing, self.max_attempts = True, 0

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.refusing:
            self.max_attempts += 1
            raise TransportError("away")
        await super().send(topic, records)


class ReceiverAround:
    """Does what the receiver inside does."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    @property
    def consumer(self) -> str:
        return self._receiver.consumer

    @property
    def topics(self) -> frozenset[str]:
        return self._receiver.topics

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        await self._receiver.receive(records)


class DyingReceiver(ReceiverAround):
    """Stops for good at the first batch with a certain key, before or after it is kept."""

    def __init__(self, receiver: Receiver, key: bytes, *, before: bool) -> None:
        super().__init__(receiver)
        self._key, self._before = key, before
        self.reached = asyncio.Event()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        mine = any(record.key == self._key for _, record in records)
        if not (mine and self._before):
            await super().receive(records)
        if mine:
            self.reached.set()
            await asyncio.Event().wait()


class CountingReceiver(ReceiverAround):
    """Counts what arrives, by key."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver)
        self.seen: Counter[bytes | None] = Counter()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        await super().receive(records)
        self.seen.update(record.key for _, record in records)
