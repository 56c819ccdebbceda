"""What cannot be read or handled: it becomes a dead letter with its reason, holds up nobody else, and may come back."""

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
from tests.faults.harness import Stage
from tests.faults.report import count
from tests.faults.worker_process import CountedInbox, effects
from tests.faults.workload import MAKERS
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)

TOPIC = "kei.members.v1"
PROMPT = 30.0
"""Seconds in which what cannot be read has to be told of."""
UNREADABLE = [
    ("kei.members.capacity.changed.v1", b"{"),
    ("kei.members.capacity.changed.v1", b'{"mentor_capacity": -1}'),
    ("kei.members.target.set.v1", b'"\xff"'),
    ("kei.members.target.set.v1", b"[]"),
    ("kei.members.something.new.v1", b"{}"),
]
"""No JSON, no such data, no UTF-8, no object, no such type."""


async def test_f9_what_cannot_be_read_is_dead_with_its_reason(both: Stage, table: Path) -> None:
    rounds = count(3, 50)
    await both.pair()
    writers = both.writers()
    for _ in range(rounds):
        await writers.write(count(100, 50))
        async with both.source.transaction() as tx:
            await _put_poison(tx)
    begun = time.monotonic()
    strange = await _send_strange(both)
    dead = rounds * len(UNREADABLE)
    await eventually(lambda: _dead(both, dead + strange), PROMPT)
    result = await both.result("F9 poison", dead + strange, writers, begun)
    async with both.sink.reading() as session:
        letters = await inbox.dead_letters(session, both.consumer, limit=1000)
    assert all(letter.reason for letter in letters)
    assert Counter(letter.attempts for letter in letters) == {1: dead + strange}, "what cannot be read is tried once"
    result.settle(table)


async def test_f11_dead_letters_and_the_whole_log_come_back_twice(both: Stage, table: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    await both.pair(max_attempts=2, failing=0.3, broken=broken)
    writers = both.writers()
    async with both.source.transaction() as tx:
        for number, key in enumerate(both.keys):
            made = MAKERS[number % len(MAKERS)][0](key)
            writers.acked.append(outbox.append(tx, made, version=1).id)
    failed = sum(id.int % 1000 < 300 for id in writers.acked)
    await eventually(lambda: _dead(both, failed), PROMPT)
    broken.unlink()
    replayed = 0
    async with _other_transport(both) as transport:
        for _ in range(count(2, 10)):
            replayed += await outbox.replay(both.source, transport)
            async with both.sink.transaction() as tx:
                replayed += await inbox.retry(tx, both.consumer)
    result = await both.result("F11 dead letters and log replayed", replayed, writers, time.monotonic())
    assert replayed > failed > 0
    result.settle(table)


async def _put_poison(tx: WriteSession) -> None:
    """As a producer with a bug would."""
    made = [
        Stored(clock.new_id(), name, "/kei/members", uuid4(), 1, clock.now(), None, data) for name, data in UNREADABLE
    ]
    await outbox.forward(tx, made, TOPIC)


async def _send_strange(stage: Stage) -> int:
    """What no outbox can hold: no key, no headers, nothing at all, very much."""
    if stage.kafka is None:
        return 0
    transport = KafkaTransport(stage.kafka, "stranger")
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
async def _other_transport(stage: Stage) -> AsyncIterator[Transport]:
    """One that ends in the same inbox."""
    transport: Transport = KafkaTransport(stage.kafka, "replays") if stage.kafka else LocalTransport()
    if stage.kafka is None:
        transport.attach(CountedInbox(stage.sink, effects(stage.spec()), stage.mine))
    yield transport
    await transport.close()


async def _dead(stage: Stage, wanted: int) -> bool:
    async with stage.sink.reading() as session:
        found: int | None = await session.scalar(text("SELECT count(*) FROM inbox WHERE state = 'dead'"))
    return found == wanted
