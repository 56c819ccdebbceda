"""Events that cannot be read or handled become dead letters with a reason, block no other key, and can be retried."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared import clock, inbox, outbox
from shared.db import WriteSession
from shared.events import Record
from shared.events.envelope import Stored
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.faults.harness import FaultHarness
from tests.faults.report import count
from tests.faults.worker_process import CountedInbox, effects_consumer
from tests.faults.workload import EVENT_FACTORIES
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)

TOPIC = "kei.members.v1"
PROMPT = 30.0
"""Seconds within which an unreadable event must become a dead letter."""
UNREADABLE = [
    ("kei.members.capacity.changed.v1", b"{"),
    ("kei.members.capacity.changed.v1", b'{"mentor_capacity": -1}'),
    ("kei.members.target.set.v1", b'"\xff"'),
    ("kei.members.target.set.v1", b"[]"),
    ("kei.members.something.new.v1", b"{}"),
]
"""No JSON, no such data, no UTF-8, no object, no such type."""


async def test_f9_what_cannot_be_read_is_dead_with_its_reason(harness: FaultHarness, table: Path) -> None:
    rounds = count(3, 50)
    await harness.start_pair()
    writers = harness.writers()
    for _ in range(rounds):
        await writers.write(count(100, 50))
        async with harness.source.transaction() as tx:
            await _put_poison(tx)
    begun = time.monotonic()
    strange = await _send_malformed(harness)
    dead = rounds * len(UNREADABLE)
    await eventually(lambda: _dead(harness, dead + strange), PROMPT)
    result = await harness.result("F9 poison", dead + strange, writers, begun)
    async with harness.sink.reading() as session:
        letters = await inbox.dead_letters(session, harness.consumer, limit=1000)
    assert all(letter.reason for letter in letters)
    assert Counter(letter.attempts for letter in letters) == {1: dead + strange}, "what cannot be read is tried once"
    result.settle(table)


async def test_f11_dead_letters_and_the_whole_log_come_back_twice(
    harness: FaultHarness, table: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    await harness.start_pair(max_attempts=2, failing=0.3, broken=broken)
    writers = harness.writers()
    async with harness.source.transaction() as tx:
        for number, key in enumerate(harness.keys):
            data = EVENT_FACTORIES[number % len(EVENT_FACTORIES)][0](key)
            writers.acked.append(outbox.append(tx, data, version=1).id)
    failed = sum(id.int % 1000 < 300 for id in writers.acked)
    await eventually(lambda: _dead(harness, failed), PROMPT)
    broken.unlink()
    replayed = 0
    async with _other_transport(harness) as transport:
        for _ in range(count(2, 10)):
            replayed += await outbox.replay(harness.source, transport)
            async with harness.sink.transaction() as tx:
                replayed += await inbox.retry(tx, harness.consumer)
    result = await harness.result("F11 dead letters and log replayed", replayed, writers, time.monotonic())
    assert replayed > failed > 0
    result.settle(table)


async def _put_poison(tx: WriteSession) -> None:
    """Append unreadable events, as a producer with a bug would."""
    events = [
        Stored(clock.new_id(), name, "/kei/members", uuid4(), 1, clock.now(), None, data) for name, data in UNREADABLE
    ]
    await outbox.forward(tx, events, TOPIC)


async def _send_malformed(harness: FaultHarness) -> int:
    """Send records that no outbox can contain: no key, no headers, no value, a very large value."""
    if harness.kafka is None:
        return 0
    transport = KafkaTransport(harness.kafka, "stranger")
    records = [
        Record(None, (), b"{}"),
        Record(b"key", (), None),
        Record(b"\xff", (("ce_id", b"\xff"), ("ce_type", b"\0")), b"\0"),
        Record(b"much", (), bytes(900_000)),
    ]
    await transport.send(TOPIC, records)
    await transport.close()
    return len(records)


@asynccontextmanager
async def _other_transport(harness: FaultHarness) -> AsyncIterator[Transport]:
    """Another transport that delivers to the same inbox."""
    transport: Transport = KafkaTransport(harness.kafka, "replays") if harness.kafka else LocalTransport()
    if harness.kafka is None:
        transport.attach(CountedInbox(harness.sink, effects_consumer(harness.spec()), harness.key_prefix))
    yield transport
    await transport.close()


async def _dead(harness: FaultHarness, wanted: int) -> bool:
    async with harness.sink.reading() as session:
        dead: int | None = await session.scalar(text("SELECT count(*) FROM inbox WHERE state = 'dead'"))
    return dead == wanted
