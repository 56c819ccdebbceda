"""Transports and receivers that wrap real ones and stop, wait or count at one point."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from shared.events.envelope import Record
from shared.transport import Receiver, Transport, TransportError


class TransportProxy:
    """Passes every call to the wrapped transport."""

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


class BreakingTransport(TransportProxy):
    """`send` hangs for ever, before or after the records are sent, like a crash."""

    def __init__(self, transport: Transport, *, before: bool) -> None:
        super().__init__(transport)
        self._before = before
        self.reached = asyncio.Event()

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if not self._before:
            await super().send(topic, records)
        self.reached.set()
        await asyncio.Event().wait()


class FreezingTransport(TransportProxy):
    """The first `send` waits for `woken`, then sends."""

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


class CountingTransport(TransportProxy):
    """Records everything that is sent."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.records: list[Record] = []

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        await super().send(topic, records)
        self.records += records


class RefusingTransport(TransportProxy):
    """`send` fails at once while `refusing`."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.refusing, self.max_attempts = True, 0

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.refusing:
            self.max_attempts += 1
            raise TransportError("away")
        await super().send(topic, records)


class ReceiverProxy:
    """Passes every call to the wrapped receiver."""

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


class DyingReceiver(ReceiverProxy):
    """`receive` hangs for ever at the first batch with a certain key, before or after it is stored."""

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


class CountingReceiver(ReceiverProxy):
    """Counts the received records by key."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver)
        self.seen: Counter[bytes | None] = Counter()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        await super().receive(records)
        self.seen.update(record.key for _, record in records)
