"""Transactions that deadlock, and tables with rows of several years."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import TextClause, text

from shared import clock, inbox, outbox
from shared.db import Database
from tests.faults.harness import FaultHarness, fault_harness
from tests.faults.report import count
from tests.faults.workload import Writers
from tests.support.own_postgres import OwnPostgres
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
_OLD_ID = """
    CAST(lpad(to_hex(CAST(extract(epoch FROM CAST(:day AS timestamptz)) * 1000 AS bigint)), 12, '0')
         || lpad(to_hex(n), 20, '0') AS uuid)
"""
_OLD_OUTBOX = text(
    f"""
    INSERT INTO outbox (id, topic, type, source, key, version, time, data, position)
    SELECT {_OLD_ID}, 'kei.members.v1', 'kei.members.target.set.v1', '/kei/members',
           CAST(lpad(to_hex(n), 32, '0') AS uuid), 1, :day, CAST(repeat('x', 200) AS bytea), n - :count
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
    """  # noqa: S608  only constants are put in
)
_OLD_INBOX = text(
    f"""
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value, state, done_at, received_at)
    SELECT :consumer, {_OLD_ID}, CAST(lpad(to_hex(n), 32, '0') AS uuid), 'kei.members.v1', CAST('old' AS bytea),
           CAST('[]' AS bytea), CAST(repeat('x', 200) AS bytea), 'done', :day, :day
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
    """  # noqa: S608  only constants are put in
)
_CHUNK = 25_000
LONG_AGO = datetime(2024, 3, 15, tzinfo=UTC)


@pytest.fixture
async def contended(
    own_postgres: Callable[..., Awaitable[OwnPostgres]], transport: str | None, tmp_path: Path
) -> AsyncIterator[FaultHarness]:
    """A harness whose servers detect deadlocks at once and not after a second."""
    server = await own_postgres(deadlock_timeout="20ms")
    async with fault_harness(server.create, transport, tmp_path) as harness:
        yield harness


async def test_f25_handlers_lock_each_other_out(contended: FaultHarness, table: Path) -> None:
    """Two processes share an inbox, and each event updates two of ten rows, in an order that depends on the event."""
    if contended.kafka:
        await contended.start_process(consumes=False)
    for _ in range(2):
        await contended.start_process(relays=contended.kafka is None, crosses=True, max_attempts=20)
    writers = contended.writers()
    await writers.write(count(600, 3_000))
    healed = time.monotonic()
    await contended.wait_until_drained()
    deadlocks = await eventually(lambda: _count(contended.sink, _DEADLOCKS))
    result = await contended.result("F25 deadlocks of handlers", deadlocks, writers, healed)
    assert await _count(contended.sink, text("SELECT sum(changes) FROM shared")) == 2 * result.seen
    result.settle(table)


async def test_f25_writers_lock_each_other_out(contended: FaultHarness, table: Path) -> None:
    """Each transaction also changes a second, random key, and PostgreSQL aborts one of two deadlocked ones."""
    await contended.start_pair()
    writers = Writers(contended.source, contended.keys[:12], contended.rng, crosses=1.0, max_hold=0.02)
    await writers.write(count(600, 5_000), at_once=30)
    healed = time.monotonic()
    deadlocks = await eventually(lambda: _count(contended.source, _DEADLOCKS))
    assert writers.refused >= deadlocks
    (await contended.result("F25 deadlocks of writers", deadlocks, writers, healed)).settle(table)


_OLD = text("SELECT count(*) FROM outbox WHERE time < now() - interval '60 days'")


async def test_f41_years_are_in_the_tables_and_are_let_go(harness: FaultHarness, table: Path) -> None:
    rows = count(50_000, 1_000_000)
    await _insert_old_rows(harness, rows)
    await harness.start_pair()
    writers = harness.writers()
    writing = asyncio.create_task(writers.write(count(500, 10_000)))
    now = clock.now()

    async def is_deleted() -> bool:
        await outbox.maintain_partitions(harness.source, now, 60)
        return await _count(harness.source, _OLD) == 0

    await eventually(is_deleted, 60.0)
    purged = 1
    while purged:
        async with harness.sink.transaction() as tx:
            purged = await inbox.purge(tx, harness.consumer, now - timedelta(days=60))
    await writing
    result = await harness.result(f"F41 {rows:,} old rows let go", rows, writers, time.monotonic())
    assert await _count(harness.source, text("SELECT count(*) FROM outbox")) == len(writers.acked)
    assert await _count(harness.sink, text("SELECT count(*) FROM inbox")) == len(writers.acked)
    result.settle(table)


async def _insert_old_rows(harness: FaultHarness, rows: int) -> None:
    """Insert a number of events that were handled long ago."""
    await outbox.maintain_partitions(harness.source, LONG_AGO)
    for first in range(1, rows + 1, _CHUNK):
        span = {"first": first, "last": min(first + _CHUNK - 1, rows), "day": LONG_AGO}
        async with harness.source.transaction() as source, harness.sink.transaction() as sink:
            await source.execute(_OLD_OUTBOX, {**span, "count": rows})
            await sink.execute(_OLD_INBOX, {**span, "consumer": harness.consumer})


async def _count(database: Database, query: TextClause) -> int:
    async with database.reading() as session:
        return int(await session.scalar(query) or 0)
