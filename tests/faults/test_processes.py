"""Processes that die, freeze, stall or run twice."""

import asyncio
import re
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults.harness import FaultHarness
from tests.faults.report import count
from tests.support.waiting import eventually, passing

pytestmark = pytest.mark.timeout(900)


async def test_f4_a_frozen_relay_wakes_up_after_another_has_taken_over(harness: FaultHarness, table: Path) -> None:
    rounds = count(2, 25)
    workers = [await harness.start_process(consumes=harness.kafka is None, lease=1.0) for _ in range(2)]
    if harness.kafka:
        await harness.start_process(relays=False)
    writers = harness.writers()
    writing = asyncio.create_task(writers.run())
    for _ in range(rounds):
        epoch = await _epoch(harness)
        leader = next(worker for worker in workers if _leads(worker.output()))
        leader.freeze()
        await eventually(lambda epoch=epoch: _epoch_above(harness, epoch), 30.0)  # type: ignore[misc]  # a default binds it
        await passing(harness.rng.uniform(0.0, 0.3))
        leader.resume()
        await passing(0.5)
    writing.cancel()
    await asyncio.wait([writing])
    result = await harness.result("F4 frozen relay wakes up", rounds, writers, time.monotonic())
    result.settle(table)


async def test_f5_two_relays_are_started_by_mistake(harness: FaultHarness, table: Path) -> None:
    second = [await harness.start_process(consumes=harness.kafka is None) for _ in range(2)][1]
    if harness.kafka:
        await harness.start_process(relays=False)
    writers = harness.writers()
    await writers.write(count(1000, 20_000))
    result = await harness.result("F5 two relays", 1, writers, time.monotonic())
    assert "relay leads" not in second.output()
    assert result.raw_dup == 0
    result.settle(table)


async def test_f12_whoever_relays_or_consumes_is_killed_again_and_again(harness: FaultHarness, table: Path) -> None:
    kills = count(8, 80)
    workers = await harness.start_pair()
    writers = harness.writers()
    writing = asyncio.create_task(writers.run())
    for kill in range(kills):
        await passing(harness.rng.uniform(0.05, 0.5))
        worker = workers[kill % len(workers)]
        await worker.kill()
        await worker.start()
    writing.cancel()
    await asyncio.wait([writing])
    result = await harness.result("F12 killed at random", kills, writers, time.monotonic())
    result.settle(table)


async def test_f14_a_consumer_is_frozen_past_its_session(harness: FaultHarness, table: Path) -> None:
    seconds = count(12, 30) if harness.kafka else count(3, 30)  # a session is over after 10
    consumer = (await harness.start_pair())[-1]
    other = await harness.start_process(relays=False) if harness.kafka else None
    writers = harness.writers()
    writing = asyncio.create_task(writers.run())
    await passing(1.0)
    consumer.freeze()
    await passing(seconds)
    consumer.resume()
    await passing(1.0)
    writing.cancel()
    await asyncio.wait([writing])
    result = await harness.result("F14 frozen past its session", 1, writers, time.monotonic())
    assert (other is None) or "reading from Kafka" in other.output()
    result.settle(table)


def _leads(output: str) -> bool:
    """Whether the last relay message in the output of a process is that it leads."""
    words = re.findall(r"relay leads|relay fenced|relay lost its database, retrying", output)
    return bool(words) and words[-1] == "relay leads"


async def _epoch(harness: FaultHarness) -> int:
    async with harness.source.reading() as session:
        return int(await session.scalar(text("SELECT epoch FROM outbox_relay")) or 0)


async def _epoch_above(harness: FaultHarness, epoch: int) -> bool:
    return await _epoch(harness) > epoch
