"""What both transports promise: effect once, in order per key, whatever is repeated, broken or restarted."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from shared import inbox, outbox
from shared.db import WriteSession
from shared.events.envelope import MAX_BYTES, Event
from shared.events.members import CapacityChanged
from shared.inbox import Consumer
from tests.shared.messaging.harness import Harness, effects_consumer, fact, put
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_each_effect_is_there_once_and_in_order_per_key(harness: Harness, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(20)]
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await asyncio.gather(*(put(harness.source, key, range(1, 11)) for key in keys))
        await harness.expect(consumer_name, dict.fromkeys(keys, 10))
    positions = await harness.positions()
    assert positions == list(range(1, 201))


async def test_what_the_wire_repeats_has_one_effect(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await put(harness.source, key, range(1, 6))
        await harness.expect(consumer_name, {key: 5})
        for _ in range(3):
            assert await outbox.replay(harness.source, transport) == 5
        await put(harness.source, key, [6])
        await harness.expect(consumer_name, {key: 6})


async def test_events_put_while_nothing_runs_are_delivered_later(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    harness.make_transport().attach(inbox.Inbox(harness.sink, effects_consumer(consumer_name)))
    await put(harness.source, key, range(1, 4))
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await harness.expect(consumer_name, {key: 3})


async def test_a_failing_event_parks_its_key_only_and_is_dead_with_its_reason(
    harness: Harness, consumer_name: str
) -> None:
    bad, good = uuid4(), uuid4()

    async def refuse(event: Event[Any]) -> None:
        if event.key == bad and event.version == 1:
            raise ValueError("no such thing")

    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name, refuse), transport), harness.relaying(transport):
        await put(harness.source, bad, [1, 2])
        await put(harness.source, good, [1, 2])
        await harness.expect(consumer_name, {good: 2})
        await eventually(lambda: _effects_of(harness, consumer_name, bad, [2]))
        dead = await _dead(harness, consumer_name)
        assert [(entry.reason, entry.attempts) for entry in dead] == [("ValueError: no such thing", 3)]


async def test_a_dead_letter_is_handled_when_it_is_tried_again(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    broken = True

    async def refuse(_: Event[Any]) -> None:
        if broken:
            raise ValueError("not yet")

    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name, refuse), transport), harness.relaying(transport):
        await put(harness.source, key, [1])
        dead = await eventually(lambda: _dead(harness, consumer_name))
        broken = False
        async with harness.sink.transaction() as tx:
            assert await inbox.retry(tx, consumer_name, [dead[0].event_id]) == 1
        await harness.expect(consumer_name, {key: 1})


async def test_a_discarded_dead_letter_never_has_an_effect(harness: Harness, consumer_name: str) -> None:
    key = uuid4()

    async def refuse(event: Event[Any]) -> None:
        if event.version == 1:
            raise ValueError("never")

    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name, refuse), transport), harness.relaying(transport):
        await put(harness.source, key, [1])
        dead = await eventually(lambda: _dead(harness, consumer_name))
        async with harness.sink.transaction() as tx:
            assert await inbox.discard(tx, consumer_name, [dead[0].event_id]) == 1
        await put(harness.source, key, [2])
        await eventually(lambda: _effects_of(harness, consumer_name, key, [2]))
        assert await outbox.replay(harness.source, transport) == 2
        await put(harness.source, key, [3])
        await eventually(lambda: _effects_of(harness, consumer_name, key, [2, 3]))


async def test_data_over_the_limit_is_refused_where_it_is_put(harness: Harness) -> None:
    key = uuid4()
    big = fact(key).model_copy(update={"mentor_capacity": 10**MAX_BYTES})
    async with harness.source.transaction() as tx:
        with pytest.raises(ValueError, match="over the limit"):
            outbox.append(tx, big, version=1)


async def test_a_new_consumer_reads_the_whole_log_by_replay(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    transport = harness.make_transport()
    async with harness.relaying(transport):
        await put(harness.source, key, range(1, 8))
        await eventually(lambda: _sent(harness, 7))
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport):
        assert await outbox.replay(harness.source, transport) == 7
        await harness.expect(consumer_name, {key: 7})


async def test_batches_are_handled_by_one_call(harness: Harness, consumer_name: str) -> None:
    consumer = Consumer(consumer_name)
    sizes: list[int] = []
    mine = {uuid4() for _ in range(12)}

    @consumer.on_batch(CapacityChanged)
    async def note(tx: WriteSession, events: Sequence[Event[CapacityChanged]]) -> None:
        sizes.append(len(events))
        rows = [{"c": consumer_name, "id": entry.id, "k": entry.key, "v": entry.version} for entry in events]
        await tx.execute(text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:c, :id, :k, :v)"), rows)

    transport = harness.make_transport()
    for key in mine:
        await put(harness.source, key, [1])
    async with harness.consuming(consumer, transport), harness.relaying(transport):
        await harness.expect(consumer_name, dict.fromkeys(mine, 1))
    assert max(sizes) > 1


async def _effects_of(harness: Harness, consumer: str, key: UUID, versions: list[int]) -> bool:
    return await harness.effects(consumer, [key]) == [(key, version) for version in versions]


async def _dead(harness: Harness, consumer: str) -> list[inbox.DeadLetter]:
    """The dead letters that this test put: others' poison goes over the same topic."""
    async with harness.source.reading() as session:
        mine = set((await session.scalars(text("SELECT id FROM outbox"))).all())
    return [entry for entry in await harness.dead(consumer) if entry.event_id in mine]


async def _sent(harness: Harness, count: int) -> bool:
    return (await harness.figures()).sent == count
