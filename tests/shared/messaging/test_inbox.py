"""The inbox by itself: handlers that hang, fail oddly or take too long, its figures, and what is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from shared import clock, inbox
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.matching import PairProposed
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, DoneStats, Inbox, PendingStats
from shared.transport.local import LocalTransport
from tests.shared.messaging.harness import TOPIC, Harness, Hook, effects_consumer, fact
from tests.support import factories
from tests.support.waiting import eventually


@pytest.fixture
async def harness(urls: tuple[str, str]) -> AsyncIterator[Harness]:
    harness = Harness(urls, LocalTransport)
    yield harness
    await harness.close()


async def arrive(harness: Harness, consumer: Consumer, keys: Sequence[UUID], version: int = 1) -> None:
    """Put an event of each key into the inbox."""
    records = [(TOPIC, factories.stored(fact(key), version).record()) for key in keys]
    await Inbox(harness.sink, consumer).receive(records)


def only(key: UUID, hook: Hook) -> Hook:
    """The hook for one key."""

    async def chosen(event: Event[Any]) -> None:
        if event.key == key:
            await hook(event)

    return chosen


async def test_a_handler_that_never_ends_parks_its_key_only(harness: Harness, consumer_name: str) -> None:
    bad, good = uuid4(), [uuid4() for _ in range(5)]

    async def hang(_: Event[Any]) -> None:
        await asyncio.Event().wait()

    consumer = effects_consumer(consumer_name, only(bad, hang))
    await arrive(harness, consumer, [*good, bad])
    async with harness.consuming(consumer, LocalTransport(), deadline=0.2, max_attempts=2):
        await harness.expect(consumer_name, dict.fromkeys(good, 1))
        await eventually(lambda: _states(harness, consumer_name, bad, [("dead", 2)]))
    assert (await harness.dead(consumer_name))[0].reason == "TimeoutError: "


def slow_consumer(name: str, seconds: dict[UUID, float]) -> Consumer:
    """A consumer whose handler waits in the database for the given seconds of a key."""
    consumer = Consumer(name)

    @consumer.on(CapacityChanged)
    async def effect(tx: WriteSession, event: Event[CapacityChanged]) -> None:
        await tx.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds.get(event.key, 0.0)})
        await write(tx, name, event)

    return consumer


async def write(tx: WriteSession, name: str, event: Event[Any]) -> None:
    row = {"c": name, "id": event.id, "k": event.key, "v": event.version}
    await tx.execute(text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:c, :id, :k, :v)"), row)


async def test_a_handler_that_waits_in_the_database_for_ever_parks_its_key_only(
    harness: Harness, consumer_name: str
) -> None:
    """Cut off inside a statement the connection is lost, and the failure has to be written down by another."""
    bad, good = uuid4(), [uuid4() for _ in range(5)]
    consumer = slow_consumer(consumer_name, {bad: 5.0})
    await arrive(harness, consumer, [*good, bad])
    async with harness.consuming(consumer, LocalTransport(), deadline=0.2, max_attempts=2):
        await harness.expect(consumer_name, dict.fromkeys(good, 1))
        await eventually(lambda: _states(harness, consumer_name, bad, [("dead", 2)]))


async def test_events_that_together_take_too_long_are_handled_one_by_one(harness: Harness, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(6)]
    consumer = slow_consumer(consumer_name, dict.fromkeys(keys, 0.1))
    await arrive(harness, consumer, keys)
    async with harness.consuming(consumer, LocalTransport(), deadline=0.4):
        await harness.expect(consumer_name, dict.fromkeys(keys, 1))
    assert [await harness.states(consumer_name, key) for key in keys] == [[("done", 0)]] * 6


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError("no mail server"), TimeoutError("slow"), FileNotFoundError("gone"), ValueError("\ud800\0")],
    ids=lambda error: type(error).__name__,
)
async def test_a_handlers_own_error_is_never_taken_for_the_databases(
    harness: Harness, consumer_name: str, error: Exception
) -> None:
    bad, good = uuid4(), uuid4()

    async def fail(_: Event[Any]) -> None:
        raise error

    consumer = effects_consumer(consumer_name, only(bad, fail))
    await arrive(harness, consumer, [bad, good])
    async with harness.consuming(consumer, LocalTransport()):
        await harness.expect(consumer_name, {good: 1})
        await eventually(lambda: _states(harness, consumer_name, bad, [("dead", 3)]))
    assert (await harness.dead(consumer_name))[0].reason.startswith(type(error).__name__)


async def test_a_lost_connection_is_no_failure_of_the_event(
    harness: Harness, consumer_name: str, logs: list[EventDict]
) -> None:
    key = uuid4()
    cut = asyncio.Event()
    consumer = Consumer(consumer_name)

    @consumer.on(CapacityChanged)
    async def effect(tx: WriteSession, event: Event[CapacityChanged]) -> None:
        if not cut.is_set():
            cut.set()
            await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await write(tx, consumer_name, event)

    await arrive(harness, consumer, [key])
    async with harness.consuming(consumer, LocalTransport()):
        await harness.expect(consumer_name, {key: 1})
    assert await harness.states(consumer_name, key) == [("done", 0)]
    assert "inbox worker failed, retrying" in [entry["event"] for entry in logs]


async def _states(harness: Harness, consumer: str, key: UUID, wanted: list[tuple[str, int]]) -> bool:
    return await harness.states(consumer, key) == wanted


async def test_figures_are_there_for_every_topic_and_say_what_waits(harness: Harness, consumer_name: str) -> None:
    consumer = two_topics(consumer_name)
    await arrive(harness, consumer, [uuid4() for _ in range(9)])
    async with harness.sink.transaction() as tx:
        await _set(tx, "done", 4)
        await _set(tx, "dead", 2)
        await _set(tx, "discarded", 1)
    async with harness.sink.reading() as session:
        waiting = await inbox.pending_stats(session, consumer)
        finished = await inbox.done_stats(session, consumer)
    assert waiting[0] == PendingStats("kei.matching.v1", 0, 0, 0.0)
    assert waiting[1][:3] == (TOPIC, 2, 2)
    assert waiting[1].oldest_age > 0.0
    assert finished == [DoneStats("kei.matching.v1", 0, 0), DoneStats(TOPIC, 4, 1)]


async def test_what_is_done_costs_the_metrics_nothing(harness: Harness, consumer_name: str) -> None:
    consumer = two_topics(consumer_name)
    await arrive(harness, consumer, [uuid4() for _ in range(2000)])
    async with harness.sink.transaction() as tx:
        await _set(tx, "done", 1990)
        await _set(tx, "dead", 5)
        await tx.execute(text("ANALYZE inbox"))
    async with harness.sink.transaction() as tx:
        before = await _read(tx)
        await inbox.pending_stats(tx, consumer)  # type: ignore[arg-type]  # what one transaction read can be asked in it only
        after = await _read(tx)
    assert (after[0] - before[0], after[1] - before[1]) == (0, 10)


async def _read(tx: WriteSession) -> tuple[int, int]:
    """Rows of the inbox that were read by going through the whole table, and by an index."""
    query = "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'inbox'"
    whole, by_index = (await tx.execute(text(query))).one()
    return whole, by_index


def two_topics(name: str) -> Consumer:
    """A consumer that nothing arrives for on one of its topics."""
    consumer = effects_consumer(name)

    @consumer.on(PairProposed)
    async def nothing(tx: WriteSession, event: Event[PairProposed]) -> None: ...

    return consumer


async def _set(tx: WriteSession, state: str, count: int) -> None:
    """Make pending events something else."""
    change = (
        "UPDATE inbox SET state = :state, done_at = clock_timestamp() WHERE seq IN"
        " (SELECT seq FROM inbox WHERE state = 'pending' ORDER BY seq LIMIT :count)"
    )
    await tx.execute(text(change), {"state": state, "count": count})


async def test_only_what_was_done_long_ago_is_forgotten_a_part_at_a_time(harness: Harness, consumer_name: str) -> None:
    consumer = effects_consumer(consumer_name)
    await arrive(harness, consumer, [uuid4() for _ in range(9)])
    async with harness.sink.transaction() as tx:
        await _set(tx, "done", 5)
        await _set(tx, "dead", 1)
    later = clock.now() + timedelta(seconds=1)
    await arrive(harness, consumer, [uuid4()])
    async with harness.sink.transaction() as tx:
        await tx.execute(text("UPDATE inbox SET done_at = :then WHERE seq = 1"), {"then": later + timedelta(days=1)})
    assert await _purged(harness, consumer_name, clock.now() - timedelta(days=1)) == [0]
    assert await _purged(harness, consumer_name, later) == [2, 2, 0]
    async with harness.sink.reading() as session:
        left = await session.execute(text("SELECT state, count(*) FROM inbox GROUP BY state ORDER BY state"))
        assert left.all() == [("dead", 1), ("done", 1), ("pending", 4)]


async def _purged(harness: Harness, consumer: str, before: datetime) -> list[int]:
    counts = [-1]
    while counts[-1]:
        async with harness.sink.transaction() as tx:
            counts.append(await inbox.purge(tx, consumer, before, limit=2))
    return counts[1:]
