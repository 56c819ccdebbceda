"""A backlog passes over a network on which a whole batch would exceed the timeout."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults import workload
from tests.faults.report import count
from tests.faults.test_database import Own, Transport, behind_proxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_f28_a_backlog_passes_over_a_slow_and_narrow_way(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        workload, "EVENT_FACTORIES", (workload.EVENT_FACTORIES[0],) * 3
    )  # one topic, as every service has
    async with behind_proxy(await own_postgres(), transport, tmp_path) as (harness, door):
        writers = harness.writers()
        await writers.write(count(800, 1500))
        door.network.latency, door.network.bandwidth = 0.1, 125_000
        await harness.start_pair()

        async def arrived() -> bool:
            async with harness.sink.reading() as session:
                received = await session.scalar(text("SELECT count(*) FROM inbox"))
            return int(received or 0) >= len(writers.acked)

        await eventually(arrived, 180.0)
        door.network.latency, door.network.bandwidth = 0.0, 0
        result = await harness.result("F28 backlog, 200 ms, 1 Mbit/s", door.held, writers, time.monotonic())
    result.settle(table)
