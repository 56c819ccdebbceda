"""Several relays of one outbox: one leads, a frozen one is replaced, and what it still does changes nothing."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from shared.outbox import Relay
from shared.transport.local import LocalTransport
from tests.shared.messaging.faulty_transport import (
    BreakingTransport,
    CountingTransport,
    FreezingTransport,
    RefusingTransport,
)
from tests.shared.messaging.harness import Harness, effects_consumer, put, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_two_relays_started_together_send_nothing_twice(harness: Harness, consumer_name: str) -> None:
    key = uuid4()
    transport = harness.make_transport()
    counting = CountingTransport(transport)
    async with (
        harness.consuming(effects_consumer(consumer_name), transport),
        harness.relaying(counting),
        harness.relaying(counting),
    ):
        await put(harness.source, key, range(1, 21))
        await harness.expect(consumer_name, {key: 20})
    assert len(counting.records) == 20


async def test_the_second_relay_takes_over_from_a_frozen_one(harness: Harness, consumer_name: str) -> None:
    keys = [uuid4() for _ in range(5)]
    transport = harness.make_transport()
    frozen = BreakingTransport(transport, before=True)
    async with harness.consuming(effects_consumer(consumer_name), transport):
        first = Relay(harness.source, frozen, poll=0.2, lease=60.0)
        async with running(first.run()):
            await eventually(lambda: first.leading)
            await asyncio.gather(*(put(harness.source, key, [1, 2]) for key in keys))
            await frozen.reached.wait()
            async with harness.relaying(transport, lease=1.0) as second:
                await eventually(lambda: second.leading)
                await asyncio.gather(*(put(harness.source, key, [3]) for key in keys))
                await harness.expect(consumer_name, dict.fromkeys(keys, 3))
    assert await harness.positions() == list(range(1, 16))


async def test_a_frozen_relay_that_wakes_up_repeats_and_stands_by(
    harness: Harness, consumer_name: str, logs: list[EventDict]
) -> None:
    keys = [uuid4() for _ in range(5)]
    transport = harness.make_transport()
    freezing = FreezingTransport(harness.make_transport())
    async with harness.consuming(effects_consumer(consumer_name), transport):
        first = Relay(harness.source, freezing, poll=0.2, lease=60.0)
        async with running(first.run()):
            await _frozen_with(harness, first, freezing, keys)
            async with harness.relaying(transport, lease=1.0) as second:
                await eventually(lambda: second.leading)
                await asyncio.gather(*(put(harness.source, key, [2, 3]) for key in keys))
                await harness.expect(consumer_name, dict.fromkeys(keys, 3))
                await eventually(lambda: _sent(harness, 15))
                freezing.woken.set()
                await freezing.through.wait()
                await eventually(lambda: not first.leading)
                await asyncio.gather(*(put(harness.source, key, [4]) for key in keys))
                await harness.expect(consumer_name, dict.fromkeys(keys, 4))
                await eventually(lambda: _sent(harness, 20))
                assert (first.leading, second.leading) == (False, True)
                assert freezing.sent > 0, "nothing was repeated"
    assert await harness.positions() == list(range(1, 21))
    assert [entry["epoch"] for entry in logs if entry["event"] == "relay leads"] == [1, 2]


async def _frozen_with(harness: Harness, relay: Relay, freezing: FreezingTransport, keys: Sequence[object]) -> None:
    await eventually(lambda: relay.leading)
    await asyncio.gather(*(put(harness.source, key, [1]) for key in keys))  # type: ignore[arg-type]
    await freezing.frozen.wait()


async def _sent(harness: Harness, count: int) -> bool:
    return (await harness.figures()).sent == count


async def test_a_relay_whose_epoch_is_over_marks_nothing(urls: tuple[str, str], logs: list[EventDict]) -> None:
    """As if a successor had sent everything already, and its own connection had not been ended."""
    harness = Harness(urls, LocalTransport)
    freezing = FreezingTransport(LocalTransport())
    async with harness.relaying(freezing) as relay:
        await eventually(lambda: relay.leading)
        await put(harness.source, uuid4(), [1, 2])
        await freezing.frozen.wait()
        async with harness.source.transaction() as tx:
            await tx.execute(text("UPDATE outbox_relay SET epoch = epoch + 1"))
        freezing.woken.set()
        await eventually(lambda: [entry for entry in logs if entry["event"] == "relay fenced by another leader"])
        await eventually(lambda: _sent(harness, 2))
    epochs = [entry["epoch"] for entry in logs if entry["event"] == "relay leads"]
    assert epochs == [1, 3]
    await harness.close()


async def test_a_relay_survives_the_end_of_its_connection_at_any_moment(urls: tuple[str, str]) -> None:
    """What the driver says of it depends on where in its protocol it happened."""
    harness = Harness(urls, LocalTransport)
    async with harness.relaying(LocalTransport(), poll=0.01) as relay:
        for number in range(1, 61):
            await eventually(lambda: relay.leading)
            await asyncio.gather(put(harness.source, uuid4(), range(1, 6)), _end_leader(harness))
            await eventually(lambda count=number * 5: _sent(harness, count))  # type: ignore[misc]
    assert await harness.positions() == list(range(1, 301))
    await harness.close()


async def _end_leader(harness: Harness) -> None:
    async with harness.source.reading() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )


async def test_a_wire_that_is_away_is_not_asked_for_every_event(urls: tuple[str, str]) -> None:
    harness = Harness(urls, LocalTransport)
    transport = RefusingTransport(LocalTransport())
    async with harness.relaying(transport):
        await put(harness.source, uuid4(), range(1, 101))
        assert transport.max_attempts < 20
        transport.refusing = False
        await eventually(lambda: _sent(harness, 100))
    await harness.close()


async def test_a_wire_may_be_away_for_very_long(urls: tuple[str, str]) -> None:
    """Waiting twice as long each time must have an end before numbers do: with a tiny lease that is soon."""
    harness = Harness(urls, LocalTransport)
    transport = RefusingTransport(LocalTransport())
    async with harness.relaying(transport, lease=0.001):
        await put(harness.source, uuid4(), [1])
        await eventually(lambda: transport.max_attempts > 1100, deadline=30)
        transport.refusing = False
        await eventually(lambda: _sent(harness, 1))
    await harness.close()
