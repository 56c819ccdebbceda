"""Many at once, on a real database: seats are given once, the queue has one order, an activity ends once."""

import asyncio
from uuid import UUID, uuid4

import httpx2

from tests.services.trainings.actions import OPERATOR, act, attend, published, register, registrations
from tests.support import factories


async def many(url: str, count: int) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    insert = "INSERT INTO cluster SELECT id, $2, id, id, 1 FROM unnest($1::uuid[]) id"
    await factories.rows(url, insert, ids, factories.CONSORTIUM)
    return ids


async def versions(url: str, id: str) -> list[int]:
    found = await factories.rows(url, "SELECT version FROM outbox WHERE key = $1 ORDER BY seq", UUID(id))
    return [row["version"] for row in found]


async def test_twenty_want_five_seats(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await many(url, 20)
    id = await published(client, clusters[0], capacity=5)
    replies = await asyncio.gather(*(register(client, id, cluster) for cluster in clusters))
    assert {reply.status_code for reply in replies} == {201}
    listed = await registrations(client, id)
    assert [one["state"] for one in listed] == ["confirmed"] * 5 + ["waitlisted"] * 15
    assert [one["place_in_queue"] for one in listed] == [None] * 5 + list(range(1, 16))
    answered = sorted((reply.json() for reply in replies), key=lambda one: one["queue"])
    assert answered == listed
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 5
    assert await versions(url, id) == list(range(1, 22))


async def test_the_same_cluster_twenty_times(client: httpx2.AsyncClient, url: str) -> None:
    (cluster,) = await many(url, 1)
    id = await published(client, cluster, capacity=20)
    replies = await asyncio.gather(*(register(client, id, cluster) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
    assert await versions(url, id) == [1, 2]


async def test_cancelling_while_others_register(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await many(url, 20)
    id = await published(client, clusters[0], capacity=5)
    held = [(await register(client, id, cluster)).json()["id"] for cluster in clusters[:10]]
    ending = [client.delete(f"/activities/{id}/registrations/{one}", headers=OPERATOR) for one in held]
    coming = [register(client, id, cluster) for cluster in clusters[10:]]
    pairs = zip(ending, coming, strict=True)
    replies = await asyncio.gather(*(call for pair in pairs for call in pair))
    assert {reply.status_code for reply in replies} == {201, 204}
    listed = [one for one in await registrations(client, id) if one["state"] != "cancelled"]
    assert [one["state"] for one in listed] == ["confirmed"] * 5 + ["waitlisted"] * 5
    assert [one["place_in_queue"] for one in listed[5:]] == [1, 2, 3, 4, 5]
    told = await versions(url, id)
    assert told == list(range(1, len(told) + 1))
    confirmed = [
        data["registration_id"] for kind, _, data in await factories.put(url) if kind == "registration.confirmed"
    ]
    assert len(confirmed) == len(set(confirmed))


async def test_cancelling_one_registration_from_all_sides(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await many(url, 3)
    id = await published(client, clusters[0], capacity=1)
    held = [(await register(client, id, cluster)).json()["id"] for cluster in clusters]
    here = f"/activities/{id}/registrations/{held[0]}"
    replies = await asyncio.gather(*(client.delete(here, headers=OPERATOR) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {204}
    assert [one["state"] for one in await registrations(client, id)] == ["cancelled", "confirmed", "waitlisted"]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 1
    assert await versions(url, id) == [1, 2, 3, 4, 5]


async def test_an_activity_ends_once(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await many(url, 2)
    id = await published(client, clusters[0])
    await register(client, id, clusters[1])
    await attend(client, id, [clusters[1]])
    replies = await asyncio.gather(*(act(client, id, "completion", 4) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 9
    assert [kind for kind, _, _ in await factories.put(url)].count("training.completed") == 1
