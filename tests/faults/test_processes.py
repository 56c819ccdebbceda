"""Processes that die, freeze, stall or are there twice."""

import asyncio
import re
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults.harness import Stage
from tests.faults.report import count
from tests.support.waiting import eventually, passing

pytestmark = pytest.mark.timeout(900)


async def test_f4_a_frozen_relay_wakes_up_after_another_has_taken_over(both: Stage, table: Path) -> None:
    rounds = count(2, 25)
    nodes = [await both.node(consumes=both.kafka is None, lease=1.0) for _ in range(2)]
    if both.kafka:
        await both.node(relays=False)
    writers = both.writers()
    writing = asyncio.create_task(writers.run())
    for _ in range(rounds):
        epoch = await _epoch(both)
        leader = next(node for node in nodes if _leads(node.output()))
        leader.freeze()
        await eventually(lambda epoch=epoch: _epoch_above(both, epoch), 30.0)  # type: ignore[misc]  # a default binds it
        await passing(both.chance.uniform(0.0, 0.3))
        leader.thaw()
        await passing(0.5)
    writing.cancel()
    await asyncio.wait([writing])
    result = await both.result("F4 frozen relay wakes up", rounds, writers, time.monotonic())
    result.settle(table)


async def test_f5_two_relays_are_started_by_mistake(both: Stage, table: Path) -> None:
    second = [await both.node(consumes=both.kafka is None) for _ in range(2)][1]
    if both.kafka:
        await both.node(relays=False)
    writers = both.writers()
    await writers.write(count(1000, 20_000))
    result = await both.result("F5 two relays", 1, writers, time.monotonic())
    assert "relay leads" not in second.output()
    assert result.raw_dup == 0
    result.settle(table)


async def test_f12_whoever_relays_or_consumes_is_killed_again_and_again(both: Stage, table: Path) -> None:
    kills = count(8, 80)
    nodes = await both.pair()
    writers = both.writers()
    writing = asyncio.create_task(writers.run())
    for kill in range(kills):
        await passing(both.chance.uniform(0.05, 0.5))
        node = nodes[kill % len(nodes)]
        await node.kill()
        await node.start()
    writing.cancel()
    await asyncio.wait([writing])
    result = await both.result("F12 killed at random", kills, writers, time.monotonic())
    result.settle(table)


async def test_f14_a_consumer_is_frozen_past_its_session(both: Stage, table: Path) -> None:
    seconds = count(12, 30) if both.kafka else count(3, 30)  # a session is over after 10
    consumer = (await both.pair())[-1]
    other = await both.node(relays=False) if both.kafka else None
    writers = both.writers()
    writing = asyncio.create_task(writers.run())
    await passing(1.0)
    consumer.freeze()
    await passing(seconds)
    consumer.thaw()
    await passing(1.0)
    writing.cancel()
    await asyncio.wait([writing])
    result = await both.result("F14 frozen past its session", 1, writers, time.monotonic())
    assert (other is None) or "reading from Kafka" in other.output()
    result.settle(table)


def _leads(said: str) -> bool:
    """Whether the last word of a node about its lead is that it has it."""
    words = re.findall(r"relay leads|relay fenced|relay lost its database, retrying", said)
    return bool(words) and words[-1] == "relay leads"


async def _epoch(stage: Stage) -> int:
    async with stage.source.reading() as session:
        return int(await session.scalar(text("SELECT epoch FROM outbox_relay")) or 0)


async def _epoch_above(stage: Stage, epoch: int) -> bool:
    return await _epoch(stage) > epoch
