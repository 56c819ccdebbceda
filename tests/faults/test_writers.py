"""What writers do to the log: many at once, long transactions, rollbacks; and handlers that refuse at first."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults.harness import FaultHarness
from tests.faults.report import FULL, count

pytestmark = pytest.mark.timeout(1800)


async def test_f6_thirty_writers_with_long_transactions(harness: FaultHarness, table: Path) -> None:
    await harness.start_pair()
    writers = harness.writers(max_hold=0.2 if FULL else 0.05)
    async with harness.source.transaction() as early:
        for name in ("transaction_timeout", "idle_in_transaction_session_timeout"):
            await early.execute(text(f"SET LOCAL {name} = 0"))
        await early.execute(text("SELECT pg_current_xact_id()"))  # an old transaction all the while
        writing = asyncio.create_task(writers.write(count(2000, 20_000), at_once=30))
        await asyncio.wait([writing], timeout=20)
    await writing
    result = await harness.result("F6 long transactions", 30, writers, time.monotonic())
    assert writers.refused == 0
    result.settle(table)


@pytest.mark.parametrize("cache", [1, 50])
async def test_f7_a_fifth_of_all_transactions_is_rolled_back(harness: FaultHarness, table: Path, cache: int) -> None:
    async with harness.source.transaction() as tx:
        await tx.execute(text(f"ALTER TABLE outbox ALTER COLUMN seq SET CACHE {cache}"))
    await harness.start_pair()
    writers = harness.writers(rollbacks=0.2)
    await writers.write(count(2000, 20_000), at_once=16)
    async with harness.source.reading() as session:
        holes = await session.scalar(text("SELECT max(seq) - count(*) FROM outbox"))
    result = await harness.result(f"F7 rollbacks, cache {cache}", int(holes or 0), writers, time.monotonic())
    if cache > 1:  # numbers handed out in advance have no order between sessions; the log is made without
        result = replace(result, findings=replace(result.findings, swaps=0))
    result.settle(table)


async def test_f10_what_fails_at_first_is_not_overtaken_by_its_key(harness: FaultHarness, table: Path) -> None:
    await harness.start_pair(failing=0.1)
    writers = harness.writers()
    await writers.write(count(1500, 5_000))
    result = await harness.result("F10 a tenth fails at first", len(writers.acked) // 10, writers, time.monotonic())
    async with harness.sink.reading() as session:
        max_attempts = await session.scalar(text("SELECT sum(attempts) FROM inbox"))
    assert max_attempts, "no handler failed"
    result.settle(table)
