"""Whole services: repeated crashes, and a rolling restart of all instances."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from tests.faults.checks import total
from tests.faults.conftest import with_empty_topics
from tests.faults.deployment import Gateway, Instance, client, gateway, running
from tests.faults.http_clients import Callers, drained
from tests.faults.report import SEED, count
from tests.faults.sse_clients import Listener, findings_of, listening
from tests.support.kei import Kei
from tests.support.run import Run
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
async def kei(run: Run) -> AsyncIterator[Kei]:
    kei = Kei(run.new_folder())
    yield kei
    await kei.end()


async def test_f1_the_process_dies_while_clients_retry_what_was_not_answered(kei: Kei, table: Path) -> None:
    kills, rng = count(4, 30), random.Random(SEED)
    await kei.start("--no-import")
    await kei.ready()
    operator = {"Authorization": f"Bearer {operator_token(DataDirectory(kei.home))}"}
    members, feed = (client(f"{kei.url}/api/{name}", operator) for name in ("members", "notifications"))
    async with members, feed:
        callers = Callers(members.request, at_once=40)
        async with callers.calling():
            for _ in range(kills):
                await passing(rng.uniform(0.2, 0.8))
                await kei.kill()
                await kei.start("--no-import")
                await kei.ready()
        healed = time.monotonic()
        log, seen = await drained(members.request, feed.request)
    fault = f"F1 killed, {len(callers.failures)} tries unanswered"
    callers.result(fault, "local", kills, log, seen, time.monotonic() - healed).settle(table)
    assert callers.refused == []
    assert callers.failures


@pytest.mark.kafka
async def test_f32_instances_are_restarted_one_after_the_other_and_nobody_notices(
    service_database: Callable[[str], Awaitable[str]], worker_kafka: str, run: Run, table: Path
) -> None:
    rounds, kafka = count(1, 5), await with_empty_topics(worker_kafka)
    urls = {name: await service_database(name) for name in ("members", "notifications")}
    folder = run.new_folder()
    sides = [[Instance(name, url, folder, kafka=kafka) for name, url in urls.items()] for _ in range(2)]
    async with (
        running(*sides[0], *sides[1]),
        gateway(*(side[0].url for side in sides)) as members,
        gateway(*(side[1].url for side in sides)) as feed,
    ):
        callers = Callers(members.ask)
        listeners = [Listener(lambda: feed.in_turn()[0]) for _ in range(count(8, 50))]
        async with listening(listeners):
            async with callers.calling():
                await passing(1.0)
                for _ in range(rounds):
                    for side in sides:
                        await _restarted(side, (members, feed))
            healed = time.monotonic()
            log, seen = await drained(members.ask, feed.ask)
            await eventually(lambda: all(listener.position >= len(seen.events) for listener in listeners))
    fault = f"F32 restarts, {len(callers.failures)} failed, {members.moved} moved"
    result = callers.result(fault, "kafka", 4 * rounds, log, seen, time.monotonic() - healed)
    replace(result, findings=total([result.findings, findings_of(listeners, seen)])).settle(table)
    assert callers.failures + callers.refused == []
    assert [(listener.broken, listener.refused) for listener in listeners] == [(0, 0)] * len(listeners)
    assert not any("deleted before they were read" in instance.output() for side in sides for instance in side), (
        "a false alarm"
    )
    assert all(listener.connects > rounds for listener in listeners), "streams were not interrupted"


async def _restarted(side: Sequence[Instance], gateways: Sequence[Gateway]) -> None:
    async def restart(instance: Instance) -> None:
        assert await instance.stop() == 0
        await instance.start()

    await asyncio.gather(*(restart(instance) for instance in side))
    await eventually(lambda: all(gateway.sees_all() for gateway in gateways))
