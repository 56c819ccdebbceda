"""What writers do to the log: many at once, long transactions, rollbacks; and handlers that refuse at first."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults.harness import Stage
from tests.faults.report import FULL, count

pytestmark = pytest.mark.timeout(1800)


async def test_f6_thirty_writers_with_long_transactions(both: Stage, table: Path) -> None:
    await both.pair()
    writers = both.writers(dawdle=0.2 if FULL else 0.05)
    async with both.source.transaction() as early:
        for name in ("transaction_timeout", "idle_in_transaction_session_timeout"):
            await early.execute(text(f"SET LOCAL {name} = 0"))
        await early.execute(text("SELECT pg_current_xact_id()"))  # an old transaction all the while
        writing = asyncio.create_task(writers.write(count(2000, 20_000), at_once=30))
        await asyncio.wait([writing], timeout=20)
    await writing
    result = await both.result("F6 long transactions", 30, writers, time.monotonic())
    assert writers.refused == 0
    result.settle(table)


@pytest.mark.parametrize("cache", [1, 50])
async def test_f7_a_fifth_of_all_transactions_is_rolled_back(both: Stage, table: Path, cache: int) -> None:
    async with both.source.transaction() as tx:
        await tx.execute(text(f"ALTER TABLE outbox ALTER COLUMN seq SET CACHE {cache}"))
    await both.pair()
    writers = both.writers(rollbacks=0.2)
    await writers.write(count(2000, 20_000), at_once=16)
    async with both.source.reading() as session:
        holes = await session.scalar(text("SELECT max(seq) - count(*) FROM outbox"))
    result = await both.result(f"F7 rollbacks, cache {cache}", int(holes or 0), writers, time.monotonic())
    if cache > 1:  # numbers handed out in advance have no order between sessions; the log is made without
        result = replace(result, findings=replace(result.findings, swaps=0))
    result.settle(table)


async def test_f10_what_fails_at_first_is_not_overtaken_by_its_key(both: Stage, table: Path) -> None:
    await both.pair(failing=0.1)
    writers = both.writers()
    await writers.write(count(1500, 5_000))
    result = await both.result("F10 a tenth fails at first", len(writers.acked) // 10, writers, time.monotonic())
    async with both.sink.reading() as session:
        max_attempts = await session.scalar(text("SELECT sum(attempts) FROM inbox"))
    assert max_attempts, "no handler failed"
    result.settle(table)
