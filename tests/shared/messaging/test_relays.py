"""Several relays of one outbox: one leads, a frozen one is replaced, and what it still does changes nothing."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from shared.outbox import Relay
from shared.transport.local import LocalTransport
from tests.shared.messaging.faulty_transport import BreakingWire, CountingWire, FreezingWire, RefusingWire
from tests.shared.messaging.harness import Rig, effects_consumer, put, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_two_relays_started_together_send_nothing_twice(rig: Rig, consumer_name: str) -> None:
    key = uuid4()
    transport = rig.make_transport()
    counting = CountingWire(transport)
    async with (
        rig.consuming(effects_consumer(consumer_name), transport),
        rig.relaying(counting),
        rig.relaying(counting),
    ):
        await put(rig.source, key, range(1, 21))
        await rig.expect(consumer_name, {key: 20})
    assert len(counting.records) == 20


async def test_the_second_relay_takes_over_from_a_frozen_one(rig: Rig, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(5)]
    transport = rig.make_transport()
    frozen = BreakingWire(transport, before=True)
    async with rig.consuming(effects_consumer(consumer_name), transport):
        first = Relay(rig.source, frozen, poll=0.2, lease=60.0)
        async with running(first.run()):
            await eventually(lambda: first.leading)
            await asyncio.gather(*(put(rig.source, key, [1, 2]) for key in keys))
            await frozen.reached.wait()
            async with rig.relaying(transport, lease=1.0) as second:
                await eventually(lambda: second.leading)
                await asyncio.gather(*(put(rig.source, key, [3]) for key in keys))
                await rig.expect(consumer_name, dict.fromkeys(keys, 3))
    assert await rig.positions() == list(range(1, 16))


async def test_a_frozen_relay_that_wakes_up_repeats_and_stands_by(
    rig: Rig, consumer_name: str, logs: list[EventDict]
) -> None:
    keys = [uuid4() for _ in range(5)]
    transport = rig.make_transport()
    freezing = FreezingWire(rig.make_transport())
    async with rig.consuming(effects_consumer(consumer_name), transport):
        first = Relay(rig.source, freezing, poll=0.2, lease=60.0)
        async with running(first.run()):
            await _frozen_with(rig, first, freezing, keys)
            async with rig.relaying(transport, lease=1.0) as second:
                await eventually(lambda: second.leading)
                await asyncio.gather(*(put(rig.source, key, [2, 3]) for key in keys))
                await rig.expect(consumer_name, dict.fromkeys(keys, 3))
                await eventually(lambda: _sent(rig, 15))
                freezing.woken.set()
                await freezing.through.wait()
                await eventually(lambda: not first.leading)
                await asyncio.gather(*(put(rig.source, key, [4]) for key in keys))
                await rig.expect(consumer_name, dict.fromkeys(keys, 4))
                await eventually(lambda: _sent(rig, 20))
                assert (first.leading, second.leading) == (False, True)
                assert freezing.sent > 0, "nothing was repeated"
    assert await rig.positions() == list(range(1, 21))
    assert [entry["epoch"] for entry in logs if entry["event"] == "relay leads"] == [1, 2]


async def _frozen_with(rig: Rig, relay: Relay, freezing: FreezingWire, keys: Sequence[object]) -> None:
    await eventually(lambda: relay.leading)
    await asyncio.gather(*(put(rig.source, key, [1]) for key in keys))  # type: ignore[arg-type]
    await freezing.frozen.wait()


async def _sent(rig: Rig, count: int) -> bool:
    return (await rig.figures()).sent == count


async def test_a_relay_whose_epoch_is_over_marks_nothing(urls: tuple[str, str], logs: list[EventDict]) -> None:
    """As if a successor had sent everything already, and its own connection had not been ended."""
    rig = Rig(urls, LocalTransport)
    freezing = FreezingWire(LocalTransport())
    async with rig.relaying(freezing) as relay:
        await eventually(lambda: relay.leading)
        await put(rig.source, uuid4(), [1, 2])
        await freezing.frozen.wait()
        async with rig.source.transaction() as tx:
            await tx.execute(text("UPDATE outbox_relay SET epoch = epoch + 1"))
        freezing.woken.set()
        await eventually(lambda: [entry for entry in logs if entry["event"] == "relay fenced by another leader"])
        await eventually(lambda: _sent(rig, 2))
    epochs = [entry["epoch"] for entry in logs if entry["event"] == "relay leads"]
    assert epochs == [1, 3]
    await rig.close()


async def test_a_relay_survives_the_end_of_its_connection_at_any_moment(urls: tuple[str, str]) -> None:
    """What the driver says of it depends on where in its protocol it happened."""
    rig = Rig(urls, LocalTransport)
    async with rig.relaying(LocalTransport(), poll=0.01) as relay:
        for number in range(1, 61):
            await eventually(lambda: relay.leading)
            await asyncio.gather(put(rig.source, uuid4(), range(1, 6)), _end_leader(rig))
            await eventually(lambda count=number * 5: _sent(rig, count))  # type: ignore[misc]
    assert await rig.positions() == list(range(1, 301))
    await rig.close()


async def _end_leader(rig: Rig) -> None:
    async with rig.source.reading() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )


async def test_a_wire_that_is_away_is_not_asked_for_every_event(urls: tuple[str, str]) -> None:
    rig = Rig(urls, LocalTransport)
    transport = RefusingWire(LocalTransport())
    async with rig.relaying(transport):
        await put(rig.source, uuid4(), range(1, 101))
        assert transport.max_attempts < 20
        transport.refusing = False
        await eventually(lambda: _sent(rig, 100))
    await rig.close()


async def test_a_wire_may_be_away_for_very_long(urls: tuple[str, str]) -> None:
    """Waiting twice as long each time must have an end before numbers do: with a tiny lease that is soon."""
    rig = Rig(urls, LocalTransport)
    transport = RefusingWire(LocalTransport())
    async with rig.relaying(transport, lease=0.001):
        await put(rig.source, uuid4(), [1])
        await eventually(lambda: transport.max_attempts > 1100, deadline=30)
        transport.refusing = False
        await eventually(lambda: _sent(rig, 1))
    await rig.close()
