"""F2 and F3: a process ends at each failpoint; its successor loses and duplicates no event."""

import time
from pathlib import Path
from typing import get_args

import pytest

from shared.failpoints import Failpoint
from tests.faults.harness import FaultHarness
from tests.faults.report import Result, count
from tests.faults.worker_process import KILLED

pytestmark = pytest.mark.timeout(900)

RELAY = {"relay.assigned", "relay.sent", "relay.marked"}
KAFKA = {"ingest.committed"}


@pytest.mark.parametrize("point", [point for point in get_args(Failpoint) if point not in KAFKA])
async def test_f2_a_process_ends_at_a_point(harness: FaultHarness, table: Path, point: str) -> None:
    result = await _crash_repeatedly(harness, point)
    if point == "relay.sent":  # F3: the transport had them all, the mark was not made
        assert result.raw_dup > 0
    result.settle(table)


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.parametrize("point", sorted(KAFKA))
async def test_f2_a_reader_of_kafka_ends_at_a_point(kafka_harness: FaultHarness, table: Path, point: str) -> None:
    (await _crash_repeatedly(kafka_harness, point)).settle(table)


async def _crash_repeatedly(harness: FaultHarness, point: str) -> Result:
    times = count(1, 12)
    role = {"relays": point in RELAY, "consumes": point not in RELAY} if harness.kafka else {}
    if harness.kafka:
        await harness.start_process(relays=point not in RELAY, consumes=point in RELAY)
    writers = harness.writers()
    for _ in range(times):
        await writers.write(40)
        passing = 1 if harness.kafka else harness.rng.randint(1, 2)  # after a rejoin all may come in one batch
        dying = await harness.start_process(point, str(passing), **role)
        await writers.write(40)
        assert await dying.wait_for_exit() == KILLED, dying.output()
    healed = time.monotonic()
    await harness.start_process(**role)
    return await harness.result(f"F2 at {point}", times, writers, healed)
