"""F33: a process that is stopped while Kafka is down ends by itself, and accepted writes are delivered later."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from deploy.kafka.topics import create_topics
from tests.faults.deployment import Instance, client, running
from tests.faults.http_clients import Ask, Callers, drained
from tests.faults.report import FULL, count
from tests.support.kafka import Broker
from tests.support.kei import Kei
from tests.support.run import Run
from tests.support.waiting import passing

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(300)]
Own = Callable[..., Awaitable[Broker]]

PATIENCE = 20.0
"""Seconds that a container runtime gives a process to stop."""
HOW = ["silent", "killed"] if FULL else ["silent"]  # the first is the harder one


@pytest.fixture
async def kei(own_kafka: Own, run: Run) -> AsyncIterator[tuple[Kei, Broker]]:
    broker = await own_kafka()
    instance = Kei(run.new_folder(), broker.address)
    yield instance, broker
    await instance.end()


@pytest.mark.parametrize("how", HOW)
async def test_f33_services_are_told_to_end_while_kafka_is_down(
    own_kafka: Own, service_database: Callable[[str], Awaitable[str]], run: Run, table: Path, how: str
) -> None:
    broker, folder = await own_kafka(), run.new_folder()
    await create_topics(broker.address)
    names = ("members", "notifications")
    services = [Instance(name, await service_database(name), folder, kafka=broker.address) for name in names]

    async def stop() -> set[int]:
        return set(await asyncio.gather(*(service.stop() for service in services)))

    async def start() -> None:
        await asyncio.gather(*(service.start() for service in services))

    async with running(*services), client(services[0].url) as members, client(services[1].url) as feed:
        await _stop_without_kafka(f"{how}, each", broker, (stop, start), (members.request, feed.request), table)


@pytest.mark.parametrize("how", HOW)
async def test_f33_all_services_in_one_process_are_told_to_end_while_kafka_is_down(
    kei: tuple[Kei, Broker], table: Path, how: str
) -> None:
    instance, broker = kei

    async def stop() -> set[int]:
        return {await instance.stop()}

    async def start() -> None:
        await instance.start("--no-import")
        await instance.ready()

    await start()
    operator = {"Authorization": f"Bearer {operator_token(DataDirectory(instance.home))}"}
    members, feed = (client(f"{instance.url}/api/{name}", operator) for name in ("members", "notifications"))
    async with members, feed:
        await _stop_without_kafka(f"{how}, as one", broker, (stop, start), (members.request, feed.request), table)


async def _stop_without_kafka(
    how: str,
    broker: Broker,
    processes: tuple[Callable[[], Awaitable[set[int]]], Callable[[], Awaitable[None]]],
    asks: tuple[Ask, Ask],
    table: Path,
) -> None:
    """Accept writes while the broker is down, stop, restart with the broker, and look for the accepted writes."""
    stop, start = processes
    callers = Callers(asks[0])
    async with callers.calling():
        await passing(1.0)
        await (broker.crash() if how.startswith("killed") else asyncio.to_thread(broker.pause))
        before = len(callers.answered)
        await passing(count(2, 30))
    meanwhile = len(callers.answered) - before
    asked_at = time.monotonic()
    statuses = await stop()
    took = time.monotonic() - asked_at
    await (broker.start() if how.startswith("killed") else asyncio.to_thread(broker.resume))
    await start()
    healed = time.monotonic()
    log, seen = await drained(*asks)
    fault = f"F33 Kafka {how}: {took:.1f} s"
    callers.result(fault, "kafka", 1, log, seen, time.monotonic() - healed).settle(table)
    assert meanwhile > 0, "nothing was taken while Kafka was away"
    assert callers.refused == []
    assert statuses == {0}
    assert took < PATIENCE
