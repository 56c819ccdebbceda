"""F17: a broker that refuses. It answers each kind of request with every retryable error code, five times."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pytest

from shared.events import topics
from tests.faults.harness import FaultHarness, WorkerProcess, fault_harness
from tests.faults.mock_broker import Api, MockBroker, mock_broker
from tests.faults.report import FULL, count
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PARTITIONS = 8  # as `kei topics create` makes them
TIMES = 5
_UNAVAILABLE, _UNKNOWN_MEMBER = 15, 25
REJOIN = (22, _UNKNOWN_MEMBER, 27)
CODES: Mapping[str, Mapping[Api, Sequence[int]]] = {
    "sending": {
        Api.PRODUCE: (6, 20, 2, 3, 5, 7, 19, 56),
        Api.INIT_PRODUCER_ID: (15, 14, 16, 51),
        Api.METADATA: (5, 3),
    },
    "reading": {
        Api.FETCH: (6, 2, 3, 5, 9, 56),
        Api.LIST_OFFSETS: (6, 3, 5, 7, 56),
        Api.OFFSET_FETCH: (_UNAVAILABLE, 16, 3, 14),
    },
    "committing": {Api.OFFSET_COMMIT: (16, 3, 7, 14, 15, *REJOIN)},
    "belonging": {
        Api.HEARTBEAT: (16, 15, *REJOIN),
        Api.FIND_COORDINATOR: (15, 14),
        Api.JOIN_GROUP: (15, 14, 16, _UNKNOWN_MEMBER),
    },
    "syncing": {Api.SYNC_GROUP: (15, 14, 16, *REJOIN)},
}
"""Errors that Kafka's protocol lets a client retry, at once or after it has joined again; important ones first."""
AT_START = set(Api) - {Api.PRODUCE, Api.FETCH, Api.OFFSET_COMMIT, Api.HEARTBEAT}
"""Requests that a process makes when it begins, and seldom later."""


@pytest.mark.parametrize("way", [way for way in CODES if FULL or way != "syncing"])
async def test_f17_the_broker_refuses_what_it_will_take_later(
    create: Callable[[], Awaitable[str]], table: Path, tmp_path: Path, way: str
) -> None:
    refused = 0
    rounds = list(zip_longest(*CODES[way].values()))[: count(1, 100)]
    with mock_broker() as broker:
        for name in topics():
            broker.create(name, PARTITIONS)
        async with fault_harness(create, broker.address, tmp_path) as harness:
            workers: list[WorkerProcess] = []
            async with harness.writing() as writers:
                for codes in rounds:
                    refusals = {api: code for api, code in zip(CODES[way], codes, strict=True) if code is not None}
                    begins = workers[way != "sending"] if workers and not AT_START.isdisjoint(refusals) else None
                    if begins:
                        assert await begins.stop() == 0, begins.output()
                    refused += _refuse(broker, refusals)
                    if begins:
                        await begins.start()
                    workers = workers or await harness.start_pair()
                    await _all_answered(harness, broker, refusals)
                healed = time.monotonic()
            result = await harness.result(f"F17 {way} is refused", refused, writers, healed)
            assert [worker.process.returncode for worker in workers] == [None, None]
    replace(result, transport="mock").settle(table)


def _refuse(broker: MockBroker, refusals: Mapping[Api, int]) -> int:
    """Refuse the next requests of each kind; return their number."""
    times = {api: 1 if _ends_membership(api, code) else TIMES for api, code in refusals.items()}
    for api, code in refusals.items():
        broker.refuse(api, code, times[api])
    return sum(times.values())


def _ends_membership(api: Api, code: int) -> bool:
    """Whether the member has to join again, which takes nine seconds on the mock, so it is done once."""
    return api is Api.SYNC_GROUP or code in REJOIN or (api, code) == (Api.OFFSET_FETCH, _UNAVAILABLE)


async def _all_answered(harness: FaultHarness, broker: MockBroker, refusals: Mapping[Api, int]) -> None:
    """Wait until no refusal is left and events are handled again."""
    seen = await harness.effects()

    async def went_on() -> bool:
        return not any(map(broker.unanswered, refusals)) and await harness.effects() > seen

    try:
        await eventually(went_on, 60.0)
    except AssertionError:
        left = {api.name: (code, broker.unanswered(api)) for api, code in refusals.items()}
        pytest.fail(f"no effect after the {seen} that were, or refusals not asked for (code, how many): {left}")
