"""Whoever dies, before or after any step: nothing is lost and no effect is there twice, on both transports."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.events.envelope import Event
from shared.inbox import Inbox
from shared.outbox import Relay
from shared.transport import Receiver
from tests.shared.messaging.faulty_transport import BreakingWire, CountingReceiver, DyingReceiver
from tests.shared.messaging.harness import Rig, effects_consumer, put, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_a_relay_that_dies_after_placing_sends_from_there(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport):
        await put(rig.source, key, [1, 2, 3])
        # Batches of one: the next event is placed while the first is at the transport.
        async with running(Relay(rig.source, BreakingWire(transport, before=True), batch=1).run()):
            await eventually(lambda: _placed(rig, 2))
        assert (await rig.figures()).sent == 0
        await put(rig.source, key, [4])
        async with rig.relaying(transport):
            await rig.expect(consumer_name, {key: 4})
    assert await rig.positions() == [1, 2, 3, 4]


@pytest.mark.parametrize("before", [True, False], ids=["before-send", "after-send"])
async def test_a_relay_that_dies_at_its_send_loses_and_doubles_nothing(
    rig: Rig, consumer_name: str, *, before: bool
) -> None:
    key = uuid4()
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport):
        breaking = BreakingWire(transport, before=before)
        async with rig.relaying(breaking):
            await put(rig.source, key, [1])
            await breaking.reached.wait()
            await put(rig.source, key, [2, 3])
        figures = await rig.figures()
        assert figures.assigned >= 1
        assert figures.sent == 0
        async with rig.relaying(transport):
            await rig.expect(consumer_name, {key: 3})
    assert await rig.positions() == [1, 2, 3]


@pytest.mark.parametrize("before", [True, False], ids=["before-insert", "after-insert"])
async def test_what_a_dead_ingest_did_not_confirm_comes_again_and_has_one_effect(
    rig: Rig, consumer_name: str, *, before: bool
) -> None:
    key = uuid4()
    dying: list[DyingReceiver] = []
    counting: list[CountingReceiver] = []

    def die(inbox: Receiver) -> Receiver:
        dying.append(DyingReceiver(inbox, str(key).encode(), before=before))
        return dying[-1]

    def count(inbox: Receiver) -> Receiver:
        counting.append(CountingReceiver(inbox))
        return counting[-1]

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport, around=die), rig.relaying(transport):
        await put(rig.source, key, [1])
        await dying[0].reached.wait()
        await put(rig.source, key, [2])
    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(consumer_name), transport, around=count), rig.relaying(transport):
        await rig.expect(consumer_name, {key: 2})
        assert counting[0].seen[str(key).encode()] >= 2


@pytest.mark.parametrize("point", ["in-handler", "after-commit"])
async def test_a_worker_that_dies_has_effects_once(rig: Rig, consumer_name: str, point: str) -> None:
    key = uuid4()
    reached = asyncio.Event()

    async def hang(event: Event[Any]) -> None:
        if event.key == key and event.version == 2:
            reached.set()
            if point == "in-handler":
                await asyncio.Event().wait()

    transport = rig.make_transport()
    async with rig.relaying(transport):
        async with rig.consuming(effects_consumer(consumer_name, hang), transport):
            await put(rig.source, key, range(1, 4))
            await reached.wait()
        transport = rig.make_transport()
        async with rig.consuming(effects_consumer(consumer_name), transport):
            await rig.expect(consumer_name, {key: 3})


async def test_everything_may_stop_and_start_with_events_at_every_stage(rig: Rig, consumer_name: str) -> None:
    done, dead, parked, handled, stored, unmarked, placed, unplaced = keys = [uuid4() for _ in range(8)]
    await _stop_after_the_first(rig, consumer_name, done, dead)
    await _stop_while_parked(rig, consumer_name, parked)
    await _stop_while_handled(rig, consumer_name, handled)
    await _stop_once_stored(rig, consumer_name, stored)
    await _stop_before_the_mark(rig, unmarked, placed)
    await put(rig.source, unplaced, [1, 2])
    assert (await rig.positions(), (await rig.figures()).sent) == (list(range(1, 15)), 10)
    await rig.close()

    again = Rig(rig.urls, rig.make_transport)
    transport = again.make_transport()
    async with again.consuming(effects_consumer(consumer_name), transport), again.relaying(transport):
        await again.expect(consumer_name, {key: 2 for key in keys if key != dead})
        assert await again.states(consumer_name, dead) == [("dead", 1), ("done", 0)]
        assert await again.effects(consumer_name, [dead]) == [(dead, 2)]
        assert (await again.positions(), (await again.figures()).sent) == (list(range(1, 17)), 16)
    await again.close()


async def _stop_after_the_first(rig: Rig, name: str, done: UUID, dead: UUID) -> None:
    async def refuse(event: Event[Any]) -> None:
        if event.key == dead and event.version == 1:
            raise ValueError("never")

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(name, refuse), transport, max_attempts=1), rig.relaying(transport):
        await put(rig.source, done, [1, 2])
        await put(rig.source, dead, [1, 2])
        await eventually(lambda: _in_states(rig, name, dead, [("dead", 1), ("done", 0)]), deadline=20)
        await rig.expect(name, {done: 2})


async def _stop_while_parked(rig: Rig, name: str, parked: UUID) -> None:
    async def refuse(event: Event[Any]) -> None:
        if event.key == parked:
            raise ValueError("not now")

    transport = rig.make_transport()
    async with (
        rig.consuming(effects_consumer(name, refuse), transport, retry_base_seconds=3.0),
        rig.relaying(transport),
    ):
        await put(rig.source, parked, [1, 2])
        await eventually(lambda: _in_states(rig, name, parked, [("pending", 1), ("pending", 0)]), deadline=20)


async def _stop_while_handled(rig: Rig, name: str, handled: UUID) -> None:
    handling = asyncio.Event()

    async def hang(event: Event[Any]) -> None:
        if event.key == handled:
            handling.set()
            await asyncio.Event().wait()

    transport = rig.make_transport()
    async with rig.consuming(effects_consumer(name, hang), transport), rig.relaying(transport):
        await put(rig.source, handled, [1, 2])
        await handling.wait()
        await eventually(lambda: _sent_all(rig))


async def _stop_once_stored(rig: Rig, name: str, stored: UUID) -> None:
    transport = rig.make_transport()
    transport.attach(Inbox(rig.sink, effects_consumer(name)))
    async with running(transport.run()), rig.relaying(transport):
        await put(rig.source, stored, [1, 2])
        await eventually(lambda: _in_states(rig, name, stored, [("pending", 0), ("pending", 0)]), deadline=20)
        await eventually(lambda: _sent_all(rig))


async def _stop_before_the_mark(rig: Rig, unmarked: UUID, placed: UUID) -> None:
    """The second batch is placed while the first is at the transport, which takes it."""
    await put(rig.source, unmarked, [1, 2])
    await put(rig.source, placed, [1, 2])
    breaking = BreakingWire(rig.make_transport(), before=False)
    async with running(Relay(rig.source, breaking, batch=2).run()):
        await breaking.reached.wait()
        await eventually(lambda: _placed(rig, 14))


async def _placed(rig: Rig, count: int) -> bool:
    return len(await rig.positions()) == count


async def _in_states(rig: Rig, consumer: str, key: UUID, wanted: list[tuple[str, int]]) -> bool:
    return await rig.states(consumer, key) == wanted


async def _sent_all(rig: Rig) -> bool:
    return (await rig.figures()).unsent == 0
