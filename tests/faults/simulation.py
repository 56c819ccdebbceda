"""members, trainings and matching without loops: each pass, delivery and turn is a call, and may crash."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar, get_args
from uuid import UUID

import asyncpg
from sqlalchemy import text

from services.matching import consumers as matching
from services.trainings import consumers as trainings
from shared import failpoints
from shared.db import Database, WriteSession
from shared.errors import KeiError
from shared.events import Event, Record, registry
from shared.failpoints import Failpoint
from shared.inbox import Consumer, Inbox, Worker
from shared.outbox import Relay
from shared.transport import Receiver
from shared.transport.local import LocalTransport
from tests.faults import checks
from tests.support.postgres import Postgres

POINTS: tuple[Failpoint, ...] = tuple(point for point in get_args(Failpoint) if point != "ingest.committed")
"""All but the one of Kafka's offsets."""
DONE, LATE, CRASHED = "done", "done, without an answer", "crashed"
EFFECT = (
    "CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid, key uuid, version bigint, type text)"
)
_EFFECT = text("INSERT INTO effect (event_id, key, version, type) VALUES (:id, :key, :version, :type)")
_SEEN = "SELECT n, event_id, key, version FROM effect WHERE n > $1 ORDER BY n"
_UNSENT = "SELECT EXISTS (SELECT FROM outbox WHERE position IS NULL) OR assigned > sent FROM outbox_relay"
_OWN = {
    "members": "service_request target assessment cluster outbox",
    "trainings": "registration activity cluster archived outbox inbox effect",
    "matching": "survey check_in meeting_mentorship meeting goal mentorship pair run resolved_request slots "
    "cluster level measurement target request gain activity archived outbox inbox effect",
}
CONSUMERS = {"matching": matching.consumer, "trainings": trainings.consumer}
RELAYS = ("members", "trainings")
_STUCK = 20.0

T = TypeVar("T")
Work = Callable[[WriteSession], Awaitable[object]]
Look: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Crash(BaseException):
    """The process dies here. No error handling may hold it up."""

    def __init__(self, point: Failpoint) -> None:
        super().__init__(point)
        self.point = point


def recorded(product: Consumer) -> Consumer:
    """The product's consumer, which also writes every effect down, in its transaction and in the order of effects."""
    consumer = Consumer(product.name)
    groups: dict[Any, list[Any]] = {}
    for entry in registry().values():
        if entry.topic in product.topics:
            groups.setdefault(product.handler_of(entry.name), []).append(entry.model)
    for handler, models in groups.items():
        consumer.on_batch(*models)(_writing_down(handler))
    return consumer


def _writing_down(handler: Any) -> Callable[[WriteSession, Sequence[Event[Any]]], Awaitable[None]]:  # noqa: ANN401  as Consumer has it
    async def effects(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
        rows = [{"id": one.id, "key": one.key, "version": one.version, "type": one.type} for one in events]
        await tx.execute(_EFFECT, rows)
        if handler is not None:
            await handler(tx, events)

    return effects


class Postbox(LocalTransport):
    """A transport that takes everything at once, as a broker does, and brings it when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[str, list[tuple[str, Record]]] = {}
        self.brought: list[tuple[str, tuple[str, Record]]] = []
        self.records = 0

    def attach(self, receiver: Receiver) -> None:
        super().attach(receiver)
        self._waiting.setdefault(receiver.consumer, [])

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        for receiver in self._receivers.values():
            if topic in receiver.topics:
                self._waiting[receiver.consumer] += [(topic, record) for record in records]

    def due(self, consumer: str, held: Collection[bytes]) -> list[tuple[str, Record]]:
        """What waits, but for the keys that are held back."""
        return [one for one in self._waiting[consumer] if one[1].key not in held]

    def forget(self, consumer: str, held: Collection[bytes]) -> None:
        """It has arrived."""
        self._waiting[consumer] = [one for one in self._waiting[consumer] if one[1].key in held]

    async def bring(self, consumer: str, held: Collection[bytes]) -> int:
        """Deliver what is due; how much that was."""
        if due := self.due(consumer, held):
            await self.deliver(consumer, due)
            self.forget(consumer, held)
            self.brought += [(consumer, one) for one in due]
        return len(due)

    async def again(self, number: int) -> None:
        """Deliver something a second time."""
        consumer, record = self.brought[number % len(self.brought)]
        await self.deliver(consumer, [record])

    async def deliver(self, consumer: str, batch: Sequence[tuple[str, Record]]) -> None:
        self.records += len(batch)
        await self._receivers[consumer].receive(batch)

    def empty(self) -> None:
        self._waiting = {consumer: [] for consumer in self._waiting}
        self.brought.clear()
        self.records = 0


class Sender:
    """A relay of which every pass is waited for; one that has died is followed by another."""

    def __init__(self, database: Database, look: Look, transport: Postbox, act: Callable[[Failpoint], None]) -> None:
        self._database, self._look, self._transport, self._act = database, look, transport, act
        self._marked = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        self._relay = Relay(self._database, self._transport, poll=0.5, lease=2.0)
        context = copy_context()
        context.run(failpoints.on_failpoint.set, self._at)
        self._task = asyncio.get_running_loop().create_task(self._relay.run(), context=context)

    def _at(self, point: Failpoint) -> None:
        if point == "relay.marked":
            self._marked.set()
        self._act(point)

    async def send(self) -> None:
        """Have everything sent that is committed."""
        while True:
            self._marked.clear()
            if not await self._look.fetchval(_UNSENT):
                return
            self._relay.wake()
            marked = asyncio.ensure_future(self._marked.wait())
            await asyncio.wait({self._task, marked}, timeout=_STUCK, return_when=asyncio.FIRST_COMPLETED)
            assert marked.done() or self._task.done(), "the relay sends nothing"
            marked.cancel()
            if self._task.done():
                self._task.exception()
                self._begin()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def restart(self) -> None:
        """Forget what was in hand."""
        await self.end()
        await self._look.execute("UPDATE outbox_relay SET sent = assigned")
        self._begin()


class Trio:
    """The three services."""

    def __init__(self, databases: Mapping[str, Database], looks: Mapping[str, Look]) -> None:
        self.databases, self.looks = databases, looks
        self.transport = Postbox()
        self.armed: set[Failpoint] = set()
        self.crashes: Counter[Failpoint] = Counter()
        failpoints.on_failpoint.set(self._at)
        self._workers = {name: self._worker(name) for name in CONSUMERS}
        self._senders = {name: Sender(databases[name], looks[name], self.transport, self._at) for name in RELAYS}
        self._seen = dict.fromkeys(CONSUMERS, 0)
        self.base = dict.fromkeys(RELAYS, 0)
        self.settled = True

    def _worker(self, name: str) -> Worker:
        consumer = recorded(CONSUMERS[name])
        inbox = Inbox(self.databases[name], consumer)
        self.transport.attach(inbox)
        return Worker(self.databases[name], consumer, inbox)

    def _at(self, point: Failpoint) -> None:
        if point in self.armed:
            self.armed.remove(point)
            self.crashes[point] += 1
            raise Crash(point)

    async def attempt(self, service: str, work: Work) -> str:
        """One command in a transaction of its own: DONE, the slug of its refusal, or CRASHED if nobody was answered."""
        try:
            async with self.databases[service].transaction() as tx:
                await work(tx)
        except KeiError as refusal:
            return refusal.slug
        except Crash as crash:
            return LATE if crash.point == "commit.after" else CRASHED
        return DONE

    async def move(self, held: Collection[UUID]) -> None:
        """Send, deliver and handle everything, but for the keys that are held back."""
        for sender in self._senders.values():
            await sender.send()
        back = {str(key).encode() for key in held}
        for name in CONSUMERS:
            if await self._through(partial(self.transport.bring, name, back)):
                await self._through(partial(self._turn, name))

    async def again(self, number: int) -> None:
        """Deliver something a second time."""
        await self._through(partial(self.transport.again, number))

    async def _turn(self, name: str) -> None:
        while await self._workers[name].step():
            pass

    async def _through(self, act: Callable[[], Awaitable[T]]) -> T:
        """Again, with workers that know nothing of before, until it comes to its end."""
        while True:
            try:
                return await act()
            except Crash:
                self._workers = {name: self._worker(name) for name in CONSUMERS}

    async def seen(self, consumer: str) -> list[checks.Event]:
        """The effects since this was asked last, in their order."""
        rows = await self.looks[consumer].fetch(_SEEN, self._seen[consumer])
        if rows:
            self._seen[consumer] = rows[-1]["n"]
        return [checks.Event(*tuple(row)[1:]) for row in rows]

    async def clear(self) -> None:
        """Begin anew. What a broken history has left on the way is thrown away with the relay that has it in hand."""
        self.armed.clear()
        self.transport.empty()
        for name, tables in _OWN.items():
            await self.looks[name].execute(";".join(map("DELETE FROM {}".format, tables.split())))
        for name, sender in self._senders.items():
            if not self.settled:
                await sender.restart()
            self.base[name] = await self.looks[name].fetchval("SELECT assigned FROM outbox_relay")
        self.settled = False

    async def end(self) -> None:
        for sender in self._senders.values():
            await sender.end()


@asynccontextmanager
async def trio(postgres: Postgres) -> AsyncIterator[Trio]:
    """The three on databases of their own."""
    urls = {name: await postgres.create_service(name) for name in _OWN}
    databases = {name: Database(url, name=name, pool_size=3) for name, url in urls.items()}
    looks = {name: await database.connect() for name, database in databases.items()}
    for name in CONSUMERS:
        await looks[name].execute(EFFECT)
    made = Trio(databases, looks)
    try:
        yield made
    finally:
        await made.end()
        for name, url in urls.items():
            await looks[name].close()
            await databases[name].close()
            await postgres.drop(url)
