"""members, trainings and matching without background loops: each relay pass, delivery and worker step is a call."""

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
"""All failpoints except the one of Kafka's offsets."""
DONE, LATE, CRASHED = "done", "done, without an answer", "crashed"
EFFECT = (
    "CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid, key uuid, version bigint, type text)"
)
_EFFECT = text("INSERT INTO effect (event_id, key, version, type) VALUES (:id, :key, :version, :type)")
_SEEN = "SELECT n, event_id, key, version FROM effect WHERE n > $1 ORDER BY n"
_UNSENT = "SELECT EXISTS (SELECT FROM outbox WHERE position IS NULL) OR assigned > sent FROM outbox_relay"
_TABLES = {
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
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Crash(BaseException):
    """Stands for the end of the process; a BaseException, so that no error handler catches it."""

    def __init__(self, point: Failpoint) -> None:
        super().__init__(point)
        self.point = point


def recording_consumer(product: Consumer) -> Consumer:
    """The consumer of a service that also records every effect, in the same transaction and order."""
    consumer = Consumer(product.name)
    groups: dict[Any, list[Any]] = {}
    for entry in registry().values():
        if entry.topic in product.topics:
            groups.setdefault(product.handler_of(entry.name), []).append(entry.model)
    for handler, models in groups.items():
        consumer.on_batch(*models)(_recording_handler(handler))
    return consumer


def _recording_handler(handler: Any) -> Callable[[WriteSession, Sequence[Event[Any]]], Awaitable[None]]:  # noqa: ANN401  the type that Consumer uses
    async def effects(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
        rows = [{"id": event.id, "key": event.key, "version": event.version, "type": event.type} for event in events]
        await tx.execute(_EFFECT, rows)
        if handler is not None:
            await handler(tx, events)

    return effects


class ManualTransport(LocalTransport):
    """A transport that stores records like a broker and delivers them when a test calls `deliver_due`."""

    def __init__(self) -> None:
        super().__init__()
        self._undelivered: dict[str, list[tuple[str, Record]]] = {}
        self.delivered: list[tuple[str, tuple[str, Record]]] = []
        self.records = 0

    def attach(self, receiver: Receiver) -> None:
        super().attach(receiver)
        self._undelivered.setdefault(receiver.consumer, [])

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        for receiver in self._receivers.values():
            if topic in receiver.topics:
                self._undelivered[receiver.consumer] += [(topic, record) for record in records]

    def due(self, consumer: str, held: Collection[bytes]) -> list[tuple[str, Record]]:
        """The undelivered records, without those of held keys."""
        return [item for item in self._undelivered[consumer] if item[1].key not in held]

    def remove_delivered(self, consumer: str, held: Collection[bytes]) -> None:
        """Drop the records that are delivered."""
        self._undelivered[consumer] = [item for item in self._undelivered[consumer] if item[1].key in held]

    async def deliver_due(self, consumer: str, held: Collection[bytes]) -> int:
        """Deliver the due records; return their number."""
        if due := self.due(consumer, held):
            await self.deliver(consumer, due)
            self.remove_delivered(consumer, held)
            self.delivered += [(consumer, item) for item in due]
        return len(due)

    async def redeliver(self, number: int) -> None:
        """Deliver a record a second time."""
        consumer, record = self.delivered[number % len(self.delivered)]
        await self.deliver(consumer, [record])

    async def deliver(self, consumer: str, batch: Sequence[tuple[str, Record]]) -> None:
        self.records += len(batch)
        await self._receivers[consumer].receive(batch)

    def empty(self) -> None:
        self._undelivered = {consumer: [] for consumer in self._undelivered}
        self.delivered.clear()
        self.records = 0


class RelayDriver:
    """Runs a relay pass by pass; starts another relay after a crash."""

    def __init__(
        self, database: Database, connection: Connection, transport: ManualTransport, act: Callable[[Failpoint], None]
    ) -> None:
        self._database, self._connection, self._transport, self._act = database, connection, transport, act
        self._marked = asyncio.Event()
        self._start_relay()

    def _start_relay(self) -> None:
        self._relay = Relay(self._database, self._transport, poll=0.5, lease=2.0)
        context = copy_context()
        context.run(failpoints.on_failpoint.set, self._on_failpoint)
        self._task = asyncio.get_running_loop().create_task(self._relay.run(), context=context)

    def _on_failpoint(self, point: Failpoint) -> None:
        if point == "relay.marked":
            self._marked.set()
        self._act(point)

    async def send(self) -> None:
        """Wait until all committed events are sent."""
        while True:
            self._marked.clear()
            if not await self._connection.fetchval(_UNSENT):
                return
            self._relay.wake()
            marked = asyncio.ensure_future(self._marked.wait())
            await asyncio.wait({self._task, marked}, timeout=_STUCK, return_when=asyncio.FIRST_COMPLETED)
            assert marked.done() or self._task.done(), "the relay sends nothing"
            marked.cancel()
            if self._task.done():
                self._task.exception()
                self._start_relay()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def restart(self) -> None:
        """Start another relay that skips all assigned events."""
        await self.end()
        await self._connection.execute("UPDATE outbox_relay SET sent = assigned")
        self._start_relay()


class ServiceSimulation:
    """The three services with their databases."""

    def __init__(self, databases: Mapping[str, Database], connections: Mapping[str, Connection]) -> None:
        self.databases, self.connections = databases, connections
        self.transport = ManualTransport()
        self.armed: set[Failpoint] = set()
        self.crashes: Counter[Failpoint] = Counter()
        failpoints.on_failpoint.set(self._on_failpoint)
        self._workers = {name: self._worker(name) for name in CONSUMERS}
        self._relays = {
            name: RelayDriver(databases[name], connections[name], self.transport, self._on_failpoint) for name in RELAYS
        }
        self._seen = dict.fromkeys(CONSUMERS, 0)
        self.base = dict.fromkeys(RELAYS, 0)
        self.settled = True

    def _worker(self, name: str) -> Worker:
        consumer = recording_consumer(CONSUMERS[name])
        inbox = Inbox(self.databases[name], consumer)
        self.transport.attach(inbox)
        return Worker(self.databases[name], consumer, inbox)

    def _on_failpoint(self, point: Failpoint) -> None:
        if point in self.armed:
            self.armed.remove(point)
            self.crashes[point] += 1
            raise Crash(point)

    async def attempt(self, service: str, work: Work) -> str:
        """Run a command in a transaction: DONE, the slug of its error, LATE or CRASHED if the process died."""
        try:
            async with self.databases[service].transaction() as tx:
                await work(tx)
        except KeiError as refusal:
            return refusal.slug
        except Crash as crash:
            return LATE if crash.point == "commit.after" else CRASHED
        return DONE

    async def deliver_all(self, held: Collection[UUID]) -> None:
        """Send, deliver and handle all events, without those of held keys."""
        for relay in self._relays.values():
            await relay.send()
        held_keys = {str(key).encode() for key in held}
        for name in CONSUMERS:
            if await self._retry_after_crash(partial(self.transport.deliver_due, name, held_keys)):
                await self._retry_after_crash(partial(self._handle_all, name))

    async def redeliver(self, number: int) -> None:
        """Deliver a record a second time."""
        await self._retry_after_crash(partial(self.transport.redeliver, number))

    async def _handle_all(self, name: str) -> None:
        while await self._workers[name].step():
            pass

    async def _retry_after_crash(self, act: Callable[[], Awaitable[T]]) -> T:
        """Repeat with new workers until it does not crash."""
        while True:
            try:
                return await act()
            except Crash:
                self._workers = {name: self._worker(name) for name in CONSUMERS}

    async def seen(self, consumer: str) -> list[checks.Event]:
        """The effects since the last call, in their order."""
        rows = await self.connections[consumer].fetch(_SEEN, self._seen[consumer])
        if rows:
            self._seen[consumer] = rows[-1]["n"]
        return [checks.Event(*tuple(row)[1:]) for row in rows]

    async def clear(self) -> None:
        """Delete all rows and records; after a failed history, also replace the relays."""
        self.armed.clear()
        self.transport.empty()
        for name, tables in _TABLES.items():
            await self.connections[name].execute(";".join(map("DELETE FROM {}".format, tables.split())))
        for name, relay in self._relays.items():
            if not self.settled:
                await relay.restart()
            self.base[name] = await self.connections[name].fetchval("SELECT assigned FROM outbox_relay")
        self.settled = False

    async def end(self) -> None:
        for relay in self._relays.values():
            await relay.end()


@asynccontextmanager
async def simulation(postgres: Postgres) -> AsyncIterator[ServiceSimulation]:
    """The three services on new databases."""
    urls = {name: await postgres.create_service(name) for name in _TABLES}
    databases = {name: Database(url, name=name, pool_size=3) for name, url in urls.items()}
    connections = {name: await database.connect() for name, database in databases.items()}
    for name in CONSUMERS:
        await connections[name].execute(EFFECT)
    services = ServiceSimulation(databases, connections)
    try:
        yield services
    finally:
        await services.end()
        for name, url in urls.items():
            await connections[name].close()
            await databases[name].close()
            await postgres.drop(url)
