"""A cluster that has left cannot register or host, and others get its seats."""

import asyncio
from uuid import UUID

import httpx2

from shared.events.members import ClusterArchived
from shared.transport.local import LocalTransport
from tests.services.trainings.actions import (
    OPERATOR,
    draft_activity,
    problem,
    publish_activity,
    register,
    registrations,
)
from tests.support import factories
from tests.support.locking import open_transaction, wait_until_blocked
from tests.support.waiting import eventually


async def archive(transport: LocalTransport, url: str, cluster: UUID) -> None:
    await factories.deliver(
        transport, factories.stored(ClusterArchived(cluster_id=cluster, consortium_id=factories.CONSORTIUM), 9)
    )

    async def known() -> bool:
        return bool(await factories.rows(url, "SELECT FROM archived WHERE cluster_id = $1", cluster))

    await eventually(known)


async def test_its_seats_in_what_has_not_begun_go_to_those_who_wait(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport, clusters: list[UUID]
) -> None:
    host, leaving, waiting, last = clusters
    ahead = await publish_activity(client, host, capacity=2, starts_on="2199-06-29", ends_on="2199-06-29")
    begun = await publish_activity(client, host, capacity=2)
    for id in (ahead, begun):
        assert (await register(client, id, leaving, seats=2)).json()["state"] == "confirmed"
        assert (await register(client, id, waiting)).json()["state"] == "waitlisted"
    await archive(transport, url, leaving)
    assert [item["state"] for item in await registrations(client, ahead)] == ["cancelled", "confirmed"]
    assert [item["state"] for item in await registrations(client, begun)] == ["confirmed", "waitlisted"]
    assert (await register(client, ahead, last)).json()["state"] == "confirmed"


async def test_it_neither_registers_nor_hosts(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport, clusters: list[UUID]
) -> None:
    host, leaving, *_ = clusters
    id = await publish_activity(client, host)
    await archive(transport, url, leaving)
    await archive(transport, url, leaving)
    assert problem(await register(client, id, leaving)) == (409, "archived", ["cluster_id"])
    own = await client.post("/activities", json=factories.training(leaving), headers=OPERATOR)
    assert problem(own) == (409, "archived", ["host_cluster_id"])
    assert (await draft_activity(client, host))["state"] == "draft"


async def test_who_registers_while_it_leaves_has_no_seat_after_it(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport, clusters: list[UUID]
) -> None:
    host, leaving, *_ = clusters
    id = await publish_activity(client, host, starts_on="2199-06-29", ends_on="2199-06-29")
    async with open_transaction(url) as other:
        await other.execute("SELECT FROM activity WHERE id = $1 FOR UPDATE", UUID(id))
        registering = asyncio.create_task(register(client, id, leaving))
        await wait_until_blocked(url, 1)
        archiving = asyncio.create_task(archive(transport, url, leaving))
        await wait_until_blocked(url, 2)
    assert (await registering).status_code == 201
    await archiving
    assert [item["state"] for item in await registrations(client, id)] == ["cancelled"]


async def test_it_leaves_every_queue_and_is_promoted_nowhere(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport, clusters: list[UUID]
) -> None:
    host, seated, leaving, waiting = clusters
    id = await publish_activity(client, host, capacity=1)
    created = [(await register(client, id, cluster)).json() for cluster in (seated, leaving, waiting)]
    await archive(transport, url, leaving)

    async def states() -> list[str]:
        return [item["state"] for item in await registrations(client, id)]

    assert await states() == ["confirmed", "cancelled", "waitlisted"]
    await client.delete(f"/activities/{id}/registrations/{created[0]['id']}", headers=OPERATOR)
    assert await states() == ["cancelled", "cancelled", "confirmed"]
    confirmed = [event for event in await factories.published_events(url) if event.type == "registration.confirmed"]
    assert [event.data["cluster_id"] for event in confirmed] == [str(seated), str(waiting)]


async def test_a_queue_of_before_skips_who_has_left(client: httpx2.AsyncClient, url: str, clusters: list[UUID]) -> None:
    host, seated, left, waiting = clusters
    id = await publish_activity(client, host, capacity=1)
    created = [(await register(client, id, cluster)).json() for cluster in (seated, left, waiting)]
    await factories.rows(url, "INSERT INTO archived VALUES ($1)", left)
    await client.delete(f"/activities/{id}/registrations/{created[0]['id']}", headers=OPERATOR)
    assert [item["state"] for item in await registrations(client, id)] == ["cancelled", "waitlisted", "confirmed"]
