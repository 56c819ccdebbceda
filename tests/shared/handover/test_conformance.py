"""What both wires promise: each event's effect once, in order per key, whatever is repeated, broken or restarted."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from shared import inbox, outbox
from shared.db import WriteSession
from shared.events.envelope import MAX_BYTES, Event, Record
from shared.events.members import CapacityChanged
from shared.inbox import Consumer
from shared.outbox import Relay
from shared.wire import Wire
from tests.shared.handover.rig import BreakingWire, Rig, effects_consumer, fact, put, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_each_effect_is_there_once_and_in_order_per_key(rig: Rig, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(20)]
    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name), wire), rig.relaying(wire):
        await asyncio.gather(*(put(rig.source, key, range(1, 11)) for key in keys))
        await rig.expect(consumer_name, dict.fromkeys(keys, 10))
    positions = await rig.positions()
    assert positions == list(range(1, 201))


async def test_what_the_wire_repeats_has_one_effect(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name), wire), rig.relaying(wire):
        await put(rig.source, key, range(1, 6))
        await rig.expect(consumer_name, {key: 5})
        for _ in range(3):
            assert await outbox.replay(rig.source, wire) == 5
        await put(rig.source, key, [6])
        await rig.expect(consumer_name, {key: 6})


async def test_events_put_while_nothing_runs_are_delivered_later(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    rig.make_wire().attach(inbox.Inbox(rig.sink, effects_consumer(consumer_name)))
    await put(rig.source, key, range(1, 4))
    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name), wire), rig.relaying(wire):
        await rig.expect(consumer_name, {key: 3})


@pytest.mark.parametrize("before", [True, False], ids=["before-send", "after-send"])
async def test_a_relay_that_dies_at_its_send_loses_and_doubles_nothing(
    rig: Rig, consumer_name: str, *, before: bool
) -> None:
    key = uuid4()
    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name), wire):
        breaking = BreakingWire(wire, before=before)
        async with rig.relaying(breaking):
            await put(rig.source, key, [1])
            await breaking.reached.wait()
            await put(rig.source, key, [2, 3])
        async with rig.source.reading() as session:
            figures = await outbox.figures(session)
        assert figures.assigned >= 1
        assert figures.sent == 0
        async with rig.relaying(wire):
            await rig.expect(consumer_name, {key: 3})
    assert await rig.positions() == [1, 2, 3]


@pytest.mark.parametrize("point", ["in-handler", "after-commit"])
async def test_a_worker_that_dies_has_effects_once(rig: Rig, consumer_name: str, point: str) -> None:
    key = uuid4()
    reached = asyncio.Event()

    async def hang(event: Event[Any]) -> None:
        if event.version == 2:
            reached.set()
            if point == "in-handler":
                await asyncio.Event().wait()

    wire = rig.make_wire()
    async with rig.relaying(wire):
        async with rig.consuming(effects_consumer(consumer_name, hang), wire):
            await put(rig.source, key, range(1, 4))
            await reached.wait()
        wire = rig.make_wire()
        async with rig.consuming(effects_consumer(consumer_name), wire):
            await rig.expect(consumer_name, {key: 3})


async def test_a_failing_event_parks_its_key_only_and_is_dead_with_its_reason(rig: Rig, consumer_name: str) -> None:
    bad, good = uuid4(), uuid4()

    async def refuse(event: Event[Any]) -> None:
        if event.key == bad and event.version == 1:
            raise ValueError("no such thing")

    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name, refuse), wire), rig.relaying(wire):
        await put(rig.source, bad, [1, 2])
        await put(rig.source, good, [1, 2])
        await rig.expect(consumer_name, {good: 2})
        await eventually(lambda: _effects_of(rig, consumer_name, bad, [2]))
        dead = await _dead(rig, consumer_name)
        assert [(one.reason, one.attempts) for one in dead] == [("ValueError: no such thing", 3)]


async def test_a_dead_letter_is_handled_when_it_is_tried_again(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    broken = True

    async def refuse(_: Event[Any]) -> None:
        if broken:
            raise ValueError("not yet")

    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name, refuse), wire), rig.relaying(wire):
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

    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name, refuse), wire), rig.relaying(wire):
        await put(rig.source, key, [1])
        dead = await eventually(lambda: _dead(rig, consumer_name))
        async with rig.sink.transaction() as tx:
            assert await inbox.discard(tx, consumer_name, [dead[0].event_id]) == 1
        await put(rig.source, key, [2])
        await eventually(lambda: _effects_of(rig, consumer_name, key, [2]))
        assert await outbox.replay(rig.source, wire) == 2
        await put(rig.source, key, [3])
        await eventually(lambda: _effects_of(rig, consumer_name, key, [2, 3]))


async def test_data_over_the_limit_is_refused_where_it_is_put(rig: Rig) -> None:
    key = uuid4()
    big = fact(key).model_copy(update={"mentor_capacity": 10**MAX_BYTES})
    async with rig.source.transaction() as tx:
        with pytest.raises(ValueError, match="over the limit"):
            await outbox.put(tx, big, version=1)


async def test_a_new_consumer_reads_the_whole_log_by_replay(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    wire = rig.make_wire()
    async with rig.relaying(wire):
        await put(rig.source, key, range(1, 8))
        await eventually(lambda: _sent(rig, 7))
    wire = rig.make_wire()
    async with rig.consuming(effects_consumer(consumer_name), wire):
        assert await outbox.replay(rig.source, wire) == 7
        await rig.expect(consumer_name, {key: 7})


async def test_two_instances_of_a_service_share_the_work(rig: Rig, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(30)]
    first, second = rig.make_wire(), rig.make_wire()
    async with (
        rig.consuming(effects_consumer(consumer_name), first),
        rig.consuming(effects_consumer(consumer_name), second),
        rig.relaying(first),
    ):
        await asyncio.gather(*(put(rig.source, key, range(1, 6)) for key in keys))
        await rig.expect(consumer_name, dict.fromkeys(keys, 5), deadline=40.0)


async def test_batches_are_handled_by_one_call(rig: Rig, consumer_name: str) -> None:
    consumer = Consumer(consumer_name)
    sizes: list[int] = []
    mine = {uuid4() for _ in range(12)}

    @consumer.on_batch(CapacityChanged)
    async def note(tx: WriteSession, events: Sequence[Event[CapacityChanged]]) -> None:
        sizes.append(len(events))
        rows = [{"c": consumer_name, "id": one.id, "k": one.key, "v": one.version} for one in events]
        await tx.execute(text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:c, :id, :k, :v)"), rows)

    wire = rig.make_wire()
    for key in mine:
        await put(rig.source, key, [1])
    async with rig.consuming(consumer, wire), rig.relaying(wire):
        await rig.expect(consumer_name, dict.fromkeys(mine, 1))
    assert max(sizes) > 1


async def test_the_second_relay_takes_over_from_a_frozen_one(rig: Rig, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(5)]
    wire = rig.make_wire()
    frozen = BreakingWire(wire, before=True)
    async with rig.consuming(effects_consumer(consumer_name), wire):
        first = Relay(rig.source, frozen, poll=0.2, lease=60.0)
        async with running(first.run()):
            await eventually(lambda: first.leading)
            await asyncio.gather(*(put(rig.source, key, [1, 2]) for key in keys))
            await frozen.reached.wait()
            async with rig.relaying(wire, lease=1.0) as second:
                await eventually(lambda: second.leading)
                await asyncio.gather(*(put(rig.source, key, [3]) for key in keys))
                await rig.expect(consumer_name, dict.fromkeys(keys, 3))
    assert await rig.positions() == list(range(1, 16))


async def test_two_relays_started_together_send_nothing_twice(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    wire = rig.make_wire()
    counting = CountingWire(wire)
    async with rig.consuming(effects_consumer(consumer_name), wire), rig.relaying(counting), rig.relaying(counting):
        await put(rig.source, key, range(1, 21))
        await rig.expect(consumer_name, {key: 20})
    assert counting.sent == 20


class CountingWire(BreakingWire):
    """Counts what goes over a wire."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, before=False)
        self.sent = 0

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        await self._wire.send(topic, records)
        self.sent += len(records)


async def _effects_of(rig: Rig, consumer: str, key: UUID, versions: list[int]) -> bool:
    return await rig.effects(consumer, [key]) == [(key, version) for version in versions]


async def _dead(rig: Rig, consumer: str) -> list[inbox.Dead]:
    """The dead letters that this test put: others' poison goes over the same topic."""
    async with rig.source.reading() as session:
        mine = set((await session.scalars(text("SELECT id FROM outbox"))).all())
    return [one for one in await rig.dead(consumer) if one.event_id in mine]


async def _sent(rig: Rig, count: int) -> bool:
    async with rig.source.reading() as session:
        return (await outbox.figures(session)).sent == count
