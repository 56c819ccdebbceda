"""Whoever dies, before or after any step: nothing is lost and no effect is there twice, on both transports."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.events.envelope import Event
from shared.inbox import Inbox
from shared.outbox import Relay
from shared.transport import Receiver
from tests.shared.messaging.faulty_transport import BreakingTransport, CountingReceiver, DyingReceiver
from tests.shared.messaging.harness import Harness, effects_consumer, put, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_a_relay_that_dies_after_placing_sends_from_there(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport):
        await put(harness.source, key, [1, 2, 3])
        # Batches of one: the next event is placed while the first is at the transport.
        async with running(Relay(harness.source, BreakingTransport(transport, before=True), batch=1).run()):
            await eventually(lambda: _placed(harness, 2))
        assert (await harness.figures()).sent == 0
        await put(harness.source, key, [4])
        async with harness.relaying(transport):
            await harness.expect(consumer_name, {key: 4})
    assert await harness.positions() == [1, 2, 3, 4]


@pytest.mark.parametrize("before", [True, False], ids=["before-send", "after-send"])
async def test_a_relay_that_dies_at_its_send_loses_and_doubles_nothing(
    harness: Harness, consumer_name: str, *, before: bool
) -> None:
    key = uuid4()
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport):
        breaking = BreakingTransport(transport, before=before)
        async with harness.relaying(breaking):
            await put(harness.source, key, [1])
            await breaking.reached.wait()
            await put(harness.source, key, [2, 3])
        figures = await harness.figures()
        assert figures.assigned >= 1
        assert figures.sent == 0
        async with harness.relaying(transport):
            await harness.expect(consumer_name, {key: 3})
    assert await harness.positions() == [1, 2, 3]


@pytest.mark.parametrize("before", [True, False], ids=["before-insert", "after-insert"])
async def test_what_a_dead_ingest_did_not_confirm_comes_again_and_has_one_effect(
    harness: Harness, consumer_name: str, *, before: bool
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

    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport, around=die), harness.relaying(transport):
        await put(harness.source, key, [1])
        await dying[0].reached.wait()
        await put(harness.source, key, [2])
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport, around=count), harness.relaying(transport):
        await harness.expect(consumer_name, {key: 2})
        assert counting[0].seen[str(key).encode()] >= 2


@pytest.mark.parametrize("point", ["in-handler", "after-commit"])
async def test_a_worker_that_dies_has_effects_once(harness: Harness, consumer_name: str, point: str) -> None:
    key = uuid4()
    reached = asyncio.Event()

    async def hang(event: Event[Any]) -> None:
        if event.key == key and event.version == 2:
            reached.set()
            if point == "in-handler":
                await asyncio.Event().wait()

    transport = harness.make_transport()
    async with harness.relaying(transport):
        async with harness.consuming(effects_consumer(consumer_name, hang), transport):
            await put(harness.source, key, range(1, 4))
            await reached.wait()
        transport = harness.make_transport()
        async with harness.consuming(effects_consumer(consumer_name), transport):
            await harness.expect(consumer_name, {key: 3})


async def test_everything_may_stop_and_start_with_events_at_every_stage(harness: Harness, consumer_name: str) -> None:
    done, dead, parked, handled, stored, unmarked, placed, unplaced = keys = [uuid4() for _ in range(8)]
    await _stop_after_the_first(harness, consumer_name, done, dead)
    await _stop_while_parked(harness, consumer_name, parked)
    await _stop_while_handled(harness, consumer_name, handled)
    await _stop_once_stored(harness, consumer_name, stored)
    await _stop_before_the_mark(harness, unmarked, placed)
    await put(harness.source, unplaced, [1, 2])
    assert (await harness.positions(), (await harness.figures()).sent) == (list(range(1, 15)), 10)
    await harness.close()

    again = Harness(harness.urls, harness.make_transport)
    transport = again.make_transport()
    async with again.consuming(effects_consumer(consumer_name), transport), again.relaying(transport):
        await again.expect(consumer_name, {key: 2 for key in keys if key != dead})
        assert await again.states(consumer_name, dead) == [("dead", 1), ("done", 0)]
        assert await again.effects(consumer_name, [dead]) == [(dead, 2)]
        assert (await again.positions(), (await again.figures()).sent) == (list(range(1, 17)), 16)
    await again.close()


async def _stop_after_the_first(harness: Harness, name: str, done: UUID, dead: UUID) -> None:
    async def refuse(event: Event[Any]) -> None:
        if event.key == dead and event.version == 1:
            raise ValueError("never")

    transport = harness.make_transport()
    async with (
        harness.consuming(effects_consumer(name, refuse), transport, max_attempts=1),
        harness.relaying(transport),
    ):
        await put(harness.source, done, [1, 2])
        await put(harness.source, dead, [1, 2])
        await eventually(lambda: _in_states(harness, name, dead, [("dead", 1), ("done", 0)]), deadline=20)
        await harness.expect(name, {done: 2})


async def _stop_while_parked(harness: Harness, name: str, parked: UUID) -> None:
    async def refuse(event: Event[Any]) -> None:
        if event.key == parked:
            raise ValueError("not now")

    transport = harness.make_transport()
    async with (
        harness.consuming(effects_consumer(name, refuse), transport, retry_base_seconds=3.0),
        harness.relaying(transport),
    ):
        await put(harness.source, parked, [1, 2])
        await eventually(lambda: _in_states(harness, name, parked, [("pending", 1), ("pending", 0)]), deadline=20)


async def _stop_while_handled(harness: Harness, name: str, handled: UUID) -> None:
    handling = asyncio.Event()

    async def hang(event: Event[Any]) -> None:
        if event.key == handled:
            handling.set()
            await asyncio.Event().wait()

    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(name, hang), transport), harness.relaying(transport):
        await put(harness.source, handled, [1, 2])
        await handling.wait()
        await eventually(lambda: _sent_all(harness))


async def _stop_once_stored(harness: Harness, name: str, stored: UUID) -> None:
    transport = harness.make_transport()
    transport.attach(Inbox(harness.sink, effects_consumer(name)))
    async with running(transport.run()), harness.relaying(transport):
        await put(harness.source, stored, [1, 2])
        await eventually(lambda: _in_states(harness, name, stored, [("pending", 0), ("pending", 0)]), deadline=20)
        await eventually(lambda: _sent_all(harness))


async def _stop_before_the_mark(harness: Harness, unmarked: UUID, placed: UUID) -> None:
    """The second batch is placed while the first is at the transport, which takes it."""
    await put(harness.source, unmarked, [1, 2])
    await put(harness.source, placed, [1, 2])
    breaking = BreakingTransport(harness.make_transport(), before=False)
    async with running(Relay(harness.source, breaking, batch=2).run()):
        await breaking.reached.wait()
        await eventually(lambda: _placed(harness, 14))


async def _placed(harness: Harness, count: int) -> bool:
    return len(await harness.positions()) == count


async def _in_states(harness: Harness, consumer: str, key: UUID, wanted: list[tuple[str, int]]) -> bool:
    return await harness.states(consumer, key) == wanted


async def _sent_all(harness: Harness) -> bool:
    return (await harness.figures()).unsent == 0
