"""Lock order: all transactions lock rows in one order, so that they cannot deadlock.

The test holds a row as another transaction would, until those it wants to see wait; then it takes what they might have
taken in the wrong order.
"""

import asyncio
from operator import attrgetter

from structlog.typing import EventDict

from shared.events.envelope import Stored
from tests.services.matching.actions import OPERATOR, Matching, Member, capacity_changed, learner, mentor, retry_reasons
from tests.support import factories
from tests.support.connection import Connection
from tests.support.locking import open_transaction, wait_until_blocked


async def take_places(other: Connection, cluster: Member) -> None:
    await other.execute("SELECT FROM slots WHERE cluster_id = $1 FOR UPDATE", cluster.id)


async def arrive_together(matching: Matching, *events: Stored) -> None:
    await matching.transport.send("kei.members.v1", [event.record() for event in events])


async def test_capacities_are_written_in_order_of_cluster(
    matching: Matching, url: str, logged: list[EventDict]
) -> None:
    low, high = sorted([mentor("One"), mentor("Two")], key=attrgetter("id"))
    await matching.register(low, high)
    changes = [capacity_changed(cluster.id, 9, 5, 5) for cluster in (high, low)]
    async with open_transaction(url) as other:
        await take_places(other, low)
        await arrive_together(matching, *changes)
        await wait_until_blocked(url, 1)
        await take_places(other, high)
    await matching.wait_handled(changes)
    assert retry_reasons(logged) == []


async def test_an_acceptance_takes_places_in_order_of_cluster(matching: Matching, url: str) -> None:
    able, eager = mentor(), learner()
    able.id, eager.id = max(able.id, eager.id), min(able.id, eager.id)
    (pair,) = await matching.register_and_publish(able, eager)
    await matching.answer(pair["id"], "mentor")
    async with open_transaction(url) as other:
        await take_places(other, eager)
        answering = asyncio.create_task(matching.answer(pair["id"], "learner", version=2))
        await wait_until_blocked(url, 1)
        await take_places(other, able)
    assert (await answering).json()["state"] == "accepted"


async def test_forgetting_waits_for_what_is_being_handled(
    matching: Matching, url: str, logged: list[EventDict]
) -> None:
    low, high = sorted([mentor("One"), mentor("Two")], key=attrgetter("id"))
    await matching.register(high)  # so that it is found first, by whoever walks through the table
    await matching.register(low)
    changes = [factories.cluster_changed_event(9, cluster_id=cluster.id, name="New") for cluster in (low, high)]
    async with open_transaction(url) as other:
        await other.execute("SELECT FROM cluster WHERE id = $1 FOR UPDATE", low.id)
        await arrive_together(matching, *changes)
        await wait_until_blocked(url, 1)
        forgetting = asyncio.create_task(matching.client.delete("/projection", headers=OPERATOR))
        await wait_until_blocked(url, 2)
    assert (await forgetting).status_code == 204
    assert retry_reasons(logged) == []
    assert await factories.rows(url, "SELECT FROM cluster") == []
    assert await factories.rows(url, "SELECT FROM inbox") == []
