"""The outbox as a log: its partitions at the turn of a month, what is kept and dropped, what comes a second time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from shared import clock, outbox
from shared.db import Database, WriteSession
from shared.events.envelope import Stored
from shared.outbox.schema import first_id
from shared.transport.local import LocalTransport
from tests.shared.messaging.harness import TOPIC, Harness, fact, put
from tests.support import factories
from tests.support.waiting import eventually

LONG_AGO = datetime(2020, 2, 15, tzinfo=UTC)


@pytest.fixture
async def harness(urls: tuple[str, str]) -> AsyncIterator[Harness]:
    harness = Harness(urls, LocalTransport)
    yield harness
    await harness.close()


def event_of(moment: datetime) -> Stored:
    """An event whose id is of that moment."""
    made = factories.stored(fact(uuid4()))
    return replace(made, id=UUID(int=first_id(moment).int + made.id.int % 2**74))


async def forward(database: Database, *events: Stored) -> None:
    async with database.transaction() as tx:
        await outbox.forward(tx, list(events), TOPIC)


async def in_tables(database: Database) -> dict[UUID, str]:
    """In which table each event is."""
    async with database.reading() as session:
        rows = await session.execute(text("SELECT id, tableoid::regclass::text AS place FROM outbox"))
        return {UUID(str(row.id)): row.place for row in rows}


async def test_events_that_came_before_their_partition_move_into_it(harness: Harness) -> None:
    """As after a while without housekeeping: the month's first events are in the default partition."""
    early, late, other = event_of(LONG_AGO), event_of(LONG_AGO + timedelta(days=30)), event_of(clock.now())
    transport = LocalTransport()
    async with harness.relaying(transport):
        await forward(harness.source, early, late, other)
        await eventually(lambda: _sent(harness, 3))
        assert set((await in_tables(harness.source)).values()) == {"outbox_other", f"outbox_{clock.now():%Y_%m}"}
        await outbox.maintain_partitions(harness.source, LONG_AGO)
        places = await in_tables(harness.source)
        assert (places[early.id], places[late.id]) == ("outbox_2020_02", "outbox_2020_03")
        await put(harness.source, uuid4(), [1])
        await forward(harness.source, event_of(LONG_AGO))
        await eventually(lambda: _sent(harness, 5))
    async with harness.source.reading() as session:
        read = [(entry.position, entry.event.id) for entry in await outbox.read(session)]
    assert read[:3] == [(1, early.id), (2, late.id), (3, other.id)]
    assert [position for position, _ in read] == [1, 2, 3, 4, 5]


async def test_events_of_a_part_that_fails_go_with_it_and_the_others_keep_their_order(
    harness: Harness,
) -> None:
    keys = [uuid4() for _ in range(4)]
    async with harness.source.transaction() as tx:
        outbox.append(tx, fact(keys[0]), version=1)
        with pytest.raises(ValueError, match="on purpose"):
            await _fail_after_putting(tx, keys[1])
        async with tx.savepoint():
            outbox.append(tx, fact(keys[2]), version=1)
        outbox.append(tx, fact(keys[3]), version=1)
    async with harness.source.reading() as session:
        put_so_far = await session.scalars(text("SELECT key FROM outbox ORDER BY seq"))
    assert list(put_so_far) == [keys[0], keys[2], keys[3]]


async def _fail_after_putting(tx: WriteSession, key: UUID) -> None:
    async with tx.savepoint():
        outbox.append(tx, fact(key), version=1)
        raise ValueError("on purpose")


async def test_partitions_can_be_made_while_events_are_put(harness: Harness, logs: list[EventDict]) -> None:
    key, other = uuid4(), uuid4()
    async with harness.relaying(LocalTransport()):
        await asyncio.gather(
            put(harness.source, key, range(1, 101)),
            *(outbox.maintain_partitions(harness.source, LONG_AGO + timedelta(days=90 * n)) for n in range(4)),
            outbox.maintain_partitions(harness.source, LONG_AGO),
            put(harness.source, other, range(1, 101)),
        )
        await eventually(lambda: _sent(harness, 200))
    assert await harness.positions() == list(range(1, 201))
    assert not [entry for entry in logs if entry["event"] == "outbox partition not created"]


async def test_what_is_in_the_way_of_a_partition_is_said_and_holds_up_no_writer(
    harness: Harness, logs: list[EventDict]
) -> None:
    async with harness.source.transaction() as reader:
        await reader.execute(text("SELECT count(*) FROM outbox"))
        await outbox.maintain_partitions(harness.source, LONG_AGO)
    failed = [entry["partition"] for entry in logs if entry["event"] == "outbox partition not created"]
    assert failed == ["outbox_2020_02", "outbox_2020_03", "outbox_2020_04"]


async def test_only_what_is_old_and_sent_is_forgotten(harness: Harness) -> None:
    old, unplaced, homeless, recent = (
        event_of(LONG_AGO),
        event_of(LONG_AGO + timedelta(days=20)),
        event_of(LONG_AGO - timedelta(days=400)),
        event_of(clock.now()),
    )
    await outbox.maintain_partitions(harness.source, LONG_AGO)
    async with harness.relaying(LocalTransport()):
        await forward(harness.source, old, homeless, recent)
        await eventually(lambda: _sent(harness, 3))
    await forward(harness.source, unplaced)
    await outbox.maintain_partitions(harness.source, clock.now(), retention_days=30)
    assert (await in_tables(harness.source)).keys() == {unplaced.id, recent.id}
    async with harness.relaying(LocalTransport()):
        await eventually(lambda: _sent(harness, 4))
    await outbox.maintain_partitions(harness.source, clock.now(), retention_days=30)
    assert (await in_tables(harness.source)).keys() == {recent.id}
    assert (await harness.figures()).unsent == 0


async def test_an_event_forwarded_a_second_time_is_in_the_log_once(harness: Harness) -> None:
    """The inbox has forgotten it, and the transport repeats it: that is neither an error nor news."""
    first, second = event_of(clock.now()), event_of(clock.now())
    await forward(harness.source, first)
    await forward(harness.source, first, second)
    async with harness.relaying(LocalTransport()):
        await eventually(lambda: _sent(harness, 2))
    async with harness.source.reading() as session:
        assert [entry.event.id for entry in await outbox.read(session)] == [first.id, second.id]


async def _sent(harness: Harness, count: int) -> bool:
    return (await harness.figures()).sent == count
