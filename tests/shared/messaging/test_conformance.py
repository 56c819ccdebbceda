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
from tests.shared.messaging.harness import Rig, effects_consumer, fact, put
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_each_effect_is_there_once_and_in_order_per_key(rig: Rig, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(20)]
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport), rig.relaying(transport):
        await asyncio.gather(*(put(rig.source, key, range(1, 11)) for key in keys))
        await rig.expect(consumer_name, dict.fromkeys(keys, 10))
    positions = await rig.positions()
    assert positions == list(range(1, 201))


async def test_what_the_wire_repeats_has_one_effect(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport), rig.relaying(transport):
        await put(rig.source, key, range(1, 6))
        await rig.expect(consumer_name, {key: 5})
        for _ in range(3):
            assert await outbox.replay(rig.source, transport) == 5
        await put(rig.source, key, [6])
        await rig.expect(consumer_name, {key: 6})


async def test_events_put_while_nothing_runs_are_delivered_later(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    rig.make_transport().attach(inbox.Inbox(rig.sink, effects_consumer(consumer_name)))
    await put(rig.source, key, range(1, 4))
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport), rig.relaying(transport):
        await rig.expect(consumer_name, {key: 3})


async def test_a_failing_event_parks_its_key_only_and_is_dead_with_its_reason(rig: Rig, consumer_name: str) -> None:
    bad, good = uuid4(), uuid4()

    async def refuse(event: Event[Any]) -> None:
        if event.key == bad and event.version == 1:
            raise ValueError("no such thing")

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name, refuse), transport), rig.relaying(transport):
        await put(rig.source, bad, [1, 2])
        await put(rig.source, good, [1, 2])
        await rig.expect(consumer_name, {good: 2})
        await eventually(lambda: _effects_of(rig, consumer_name, bad, [2]))
        dead = await _dead(rig, consumer_name)
        assert [(entry.reason, entry.attempts) for entry in dead] == [("ValueError: no such thing", 3)]


async def test_a_dead_letter_is_handled_when_it_is_tried_again(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    broken = True

    async def refuse(_: Event[Any]) -> None:
        if broken:
            raise ValueError("not yet")

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name, refuse), transport), rig.relaying(transport):
        await put(rig.source, key, [1])
        dead = await eventually(lambda: _dead(rig, consumer_name))
        broken = False
        async with rig.sink.transaction() as tx:
            assert await inbox.retry(tx, consumer_name, [dead[0].event_id]) == 1
        await rig.expect(consumer_name, {key: 1})


async def test_a_discarded_dead_letter_never_has_an_effect(rig: Rig, consumer_name: str) -> None:
    key = uuid4()

    async def refuse(event: Event[Any]) -> None:
        if event.version == 1:
            raise ValueError("never")

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name, refuse), transport), rig.relaying(transport):
        await put(rig.source, key, [1])
        dead = await eventually(lambda: _dead(rig, consumer_name))
        async with rig.sink.transaction() as tx:
            assert await inbox.discard(tx, consumer_name, [dead[0].event_id]) == 1
        await put(rig.source, key, [2])
        await eventually(lambda: _effects_of(rig, consumer_name, key, [2]))
        assert await outbox.replay(rig.source, transport) == 2
        await put(rig.source, key, [3])
        await eventually(lambda: _effects_of(rig, consumer_name, key, [2, 3]))


async def test_data_over_the_limit_is_refused_where_it_is_put(rig: Rig) -> None:
    key = uuid4()
    big = fact(key).model_copy(update={"mentor_capacity": 10**MAX_BYTES})
    async with rig.source.transaction() as tx:
        with pytest.raises(ValueError, match="over the limit"):
            outbox.append(tx, big, version=1)


async def test_a_new_consumer_reads_the_whole_log_by_replay(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    transport = rig.make_transport()
    async with rig.relaying(transport):
        await put(rig.source, key, range(1, 8))
        await eventually(lambda: _sent(rig, 7))
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport):
        assert await outbox.replay(rig.source, transport) == 7
        await rig.expect(consumer_name, {key: 7})


async def test_batches_are_handled_by_one_call(rig: Rig, consumer_name: str) -> None:
    consumer = Consumer(consumer_name)
    sizes: list[int] = []
    mine = {uuid4() for _ in range(12)}

    @consumer.on_batch(CapacityChanged)
    async def note(tx: WriteSession, events: Sequence[Event[CapacityChanged]]) -> None:
        sizes.append(len(events))
        rows = [{"c": consumer_name, "id": entry.id, "k": entry.key, "v": entry.version} for entry in events]
        await tx.execute(text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:c, :id, :k, :v)"), rows)

    transport = rig.make_transport()
    for key in mine:
        await put(rig.source, key, [1])
    async with rig.consuming(consumer, transport), rig.relaying(transport):
        await rig.expect(consumer_name, dict.fromkeys(mine, 1))
    assert max(sizes) > 1


async def _effects_of(rig: Rig, consumer: str, key: UUID, versions: list[int]) -> bool:
    return await rig.effects(consumer, [key]) == [(key, version) for version in versions]


async def _dead(rig: Rig, consumer: str) -> list[inbox.DeadLetter]:
    """The dead letters that this test put: others' poison goes over the same topic."""
    async with rig.source.reading() as session:
        mine = set((await session.scalars(text("SELECT id FROM outbox"))).all())
    return [entry for entry in await rig.dead(consumer) if entry.event_id in mine]


async def _sent(rig: Rig, count: int) -> bool:
    return (await rig.figures()).sent == count
