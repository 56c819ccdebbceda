"""F35: old readers and a newer writer, a newer reader and old writers, from the outbox to the effect."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from shared import inbox, outbox
from shared.db import WriteSession
from shared.events import Event, registry
from shared.inbox import Consumer
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.faults import checks, schema_versions
from tests.faults.report import Result, count
from tests.faults.schema_versions import CHANGES, Sent
from tests.shared.messaging.harness import Harness, prepare
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)

SERVICES = ("trainings", "matching", "notifications")
_SEEN = text("SELECT event_id, key FROM effect WHERE consumer = :name ORDER BY n")
_EFFECT = text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:name, :id, :key, :version)")
_STATES = text("SELECT event_id, state, coalesce(error, '') FROM inbox WHERE consumer = :name")
_FEED = text("SELECT id, data FROM outbox WHERE topic = 'kei.public.v1'")
New = Callable[..., Awaitable[str]]


@pytest.fixture
async def harness(create: New, transport: str | None) -> AsyncIterator[Harness]:
    """A writer, and a reader of everything."""
    urls, local = (await create(), await create()), LocalTransport()
    for url in urls:
        await prepare(url)

    def make_transport() -> Transport:
        return KafkaTransport(transport, "versions") if transport else local

    made = Harness(urls, make_transport)
    yield made
    await made.close()


@pytest.fixture
async def services(harness: Harness, service_database: New) -> AsyncIterator[dict[str, Harness]]:
    """The services that read others' events."""
    made = {name: Harness((harness.urls[0], await service_database(name)), harness.make_transport) for name in SERVICES}
    yield made
    for service in made.values():
        await service.close()


async def test_f35_old_readers_and_a_newer_writer(harness: Harness, services: dict[str, Harness], table: Path) -> None:
    name = f"v{uuid4().hex[:12]}"
    pairs = [(entry, change) for entry in registry().values() for change in CHANGES.values()]
    for entry, change in pairs:
        assert bool(schema_versions.schema_faults(entry, change)) is not change.compatible, (entry.name, change)
    sent = [
        event for pair in pairs * count(1, 10) for event in schema_versions.between_others(*pair)
    ] + schema_versions.of_unknown_types()
    readers = [(harness, _everything(name, {}))]
    readers += [(services[service], import_module(f"services.{service}.consumers").consumer) for service in SERVICES]
    async with _reading(readers), _writing(harness):
        await _publish(harness, sent)
        begun = time.monotonic()
        misjudged = [fault for reader in readers for fault in await _misjudged(*reader, sent)]
        recovery = time.monotonic() - begun
    (await _result(harness, name, "F35 newer writer", len(pairs), sent, recovery)).settle(table)
    assert misjudged == []
    public = {item.event.id: item.event.data for item in sent if not item.dead and registry()[item.event.type].public}
    assert await _feed(services["notifications"]) == public, "partners do not get what was written"


async def test_f35_a_newer_reader_and_old_writers(
    harness: Harness, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, types, read = f"v{uuid4().hex[:12]}", list(registry().values()), dict[UUID, Any]()
    first, left_out, more, last = schema_versions.in_stages(
        types, "as it is", "optional left out", "fields more", "as it is"
    )
    moon = [item for item in schema_versions.of_unknown_types() if item.event.type == schema_versions.MOON]
    async with _writing(harness):
        async with _reading([(harness, old := _everything(name, read))]):
            await _publish(harness, first + moon)
            assert await _misjudged(harness, old, first + moon) == []
        schema_versions.register_changed_types(monkeypatch, types)
        begun = time.monotonic()
        async with _reading([(harness, newer := _everything(name, read))]):
            async with harness.sink.transaction() as tx:
                assert await inbox.retry(tx, name) == len(moon)
            await _publish(harness, left_out + more)
            sent = [Sent(item.event) for item in first + moon + left_out + more]
            assert await _misjudged(harness, newer, sent) == []
        recovery = time.monotonic() - begun
        schema_versions.register_changed_types(monkeypatch, types, demanding=True)
        async with _reading([(harness, demanding := _everything(name, read))]):
            await _publish(harness, last)
            assert await _misjudged(harness, demanding, [Sent(item.event, "does not fit") for item in last]) == []
    assert all(schema_versions.schema_faults(entry, schema_versions.DEMAND) for entry in types), (
        "what the reader demanded is no breaking change"
    )
    assert {read[item.event.id].colour for item in left_out} == {None}
    assert all(read[item.event.id].colour == schema_versions.COLOUR for item in more)
    (await _result(harness, name, "F35 newer reader", 4 * len(types) + 1, sent, recovery)).settle(table)


def _everything(name: str, read: dict[UUID, Any]) -> Consumer:
    """A consumer of every type known at that moment; `read` collects the data of its events."""
    consumer = Consumer(name)

    @consumer.on(*(entry.model for entry in registry().values()))
    async def effect(tx: WriteSession, event: Event[Any]) -> None:
        await tx.execute(_EFFECT, {"name": name, "id": event.id, "key": event.key, "version": event.version})
        read[event.id] = event.data

    return consumer


@asynccontextmanager
async def _reading(readers: Iterable[tuple[Harness, Consumer]]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for harness, consumer in readers:
            await stack.enter_async_context(harness.consuming(consumer, harness.make_transport()))
        yield


@asynccontextmanager
async def _writing(harness: Harness) -> AsyncIterator[None]:
    transport = harness.make_transport()
    async with harness.relaying(transport):
        yield
    await transport.close()


async def _publish(harness: Harness, sent: Sequence[Sent]) -> None:
    for topic, part in groupby(sorted(sent, key=schema_versions.topic), key=schema_versions.topic):
        async with harness.source.transaction() as tx:
            await outbox.forward(tx, [item.event for item in part], topic)


async def _misjudged(harness: Harness, consumer: Consumer, sent: Iterable[Sent]) -> list[str]:
    """Wait until a reader has handled all events; return its wrong outcomes."""
    mine = {item.event.id: item for item in sent if schema_versions.topic(item) in consumer.topics}

    async def judged() -> dict[UUID, tuple[str, str]] | None:
        async with harness.sink.reading() as session:
            rows = [
                (UUID(str(row[0])), row[1], row[2]) for row in await session.execute(_STATES, {"name": consumer.name})
            ]
        states = {id: (state, error) for id, state, error in rows if id in mine}
        through = len(states) == len(mine) and all(state != "pending" for state, _ in states.values())
        return states if through else None

    states = await eventually(judged, 120.0) or {}
    return [
        f"{consumer.name}: {item.event.type} is {states[id]}, not {item.dead or 'done'}: {item.event.data!r}"
        for id, item in mine.items()
        if states[id][0] != ("dead" if item.dead else "done") or item.dead not in states[id][1]
    ]


async def _feed(harness: Harness) -> dict[UUID, bytes]:
    async with harness.sink.reading() as session:
        return {UUID(str(row.id)): bytes(row.data) for row in await session.execute(_FEED)}


async def _result(
    harness: Harness, name: str, fault: str, injected: int, sent: Iterable[Sent], recovery: float
) -> Result:
    """Compare the effects with the readable events; versions are counted without the unreadable ones."""
    readable = [item.event for item in sent if not item.dead]
    behind: dict[UUID, int] = {}
    written = []
    for event in readable:
        behind[event.key] = behind.get(event.key, 0) + 1
        written.append(checks.Event(event.id, event.key, behind[event.key]))
    ranks = {event.id: event for event in written}
    async with harness.sink.reading() as session:
        rows = [(UUID(str(row[0])), UUID(str(row[1]))) for row in await session.execute(_SEEN, {"name": name})]
    seen = [ranks.get(id, checks.Event(id, key, 0)) for id, key in rows]
    return Result(
        fault=fault,
        transport="local" if isinstance(harness.make_transport(), LocalTransport) else "kafka",
        injected=injected,
        acked=len(written),
        seen=len(seen),
        raw_dup=0,
        stall=0.0,
        recovery=recovery,
        findings=checks.examine([event.id for event in written], written, seen, await harness.positions()),
    )
