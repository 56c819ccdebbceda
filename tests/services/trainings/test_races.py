"""Concurrent requests: seats are given once, the queue has one order, an activity is completed once."""

import asyncio
from uuid import UUID, uuid4

import httpx2

from tests.services.trainings.actions import (
    OPERATOR,
    post_step,
    publish_activity,
    record_attendance,
    register,
    registrations,
)
from tests.support import factories


async def insert_clusters(url: str, count: int) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    insert = "INSERT INTO cluster SELECT id, $2, id, id, 1 FROM unnest($1::uuid[]) id"
    await factories.rows(url, insert, ids, factories.CONSORTIUM)
    return ids


async def event_versions(url: str, id: str) -> list[int]:
    rows = await factories.rows(url, "SELECT version FROM outbox WHERE key = $1 ORDER BY seq", UUID(id))
    return [row["version"] for row in rows]


async def test_twenty_want_five_seats(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await insert_clusters(url, 20)
    id = await publish_activity(client, clusters[0], capacity=5)
    replies = await asyncio.gather(*(register(client, id, cluster) for cluster in clusters))
    assert {reply.status_code for reply in replies} == {201}
    listed = await registrations(client, id)
    assert [item["state"] for item in listed] == ["confirmed"] * 5 + ["waitlisted"] * 15
    assert [item["place_in_queue"] for item in listed] == [None] * 5 + list(range(1, 16))
    registered = sorted((reply.json() for reply in replies), key=lambda item: item["queue"])
    assert registered == listed
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 5
    assert await event_versions(url, id) == list(range(1, 22))


async def test_the_same_cluster_twenty_times(client: httpx2.AsyncClient, url: str) -> None:
    (cluster,) = await insert_clusters(url, 1)
    id = await publish_activity(client, cluster, capacity=20)
    replies = await asyncio.gather(*(register(client, id, cluster) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
    assert await event_versions(url, id) == [1, 2]


async def test_cancelling_while_others_register(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await insert_clusters(url, 20)
    id = await publish_activity(client, clusters[0], capacity=5)
    ids = [(await register(client, id, cluster)).json()["id"] for cluster in clusters[:10]]
    cancellations = [client.delete(f"/activities/{id}/registrations/{other}", headers=OPERATOR) for other in ids]
    new = [register(client, id, cluster) for cluster in clusters[10:]]
    pairs = zip(cancellations, new, strict=True)
    replies = await asyncio.gather(*(call for pair in pairs for call in pair))
    assert {reply.status_code for reply in replies} == {201, 204}
    listed = [item for item in await registrations(client, id) if item["state"] != "cancelled"]
    assert [item["state"] for item in listed] == ["confirmed"] * 5 + ["waitlisted"] * 5
    assert [item["place_in_queue"] for item in listed[5:]] == [1, 2, 3, 4, 5]
    versions = await event_versions(url, id)
    assert versions == list(range(1, len(versions) + 1))
    confirmed = [
        event.data["registration_id"]
        for event in await factories.published_events(url)
        if event.type == "registration.confirmed"
    ]
    assert len(confirmed) == len(set(confirmed))


async def test_cancelling_one_registration_from_all_sides(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await insert_clusters(url, 3)
    id = await publish_activity(client, clusters[0], capacity=1)
    ids = [(await register(client, id, cluster)).json()["id"] for cluster in clusters]
    path = f"/activities/{id}/registrations/{ids[0]}"
    replies = await asyncio.gather(*(client.delete(path, headers=OPERATOR) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {204}
    assert [item["state"] for item in await registrations(client, id)] == ["cancelled", "confirmed", "waitlisted"]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 1
    assert await event_versions(url, id) == [1, 2, 3, 4, 5]


async def test_an_activity_ends_once(client: httpx2.AsyncClient, url: str) -> None:
    clusters = await insert_clusters(url, 2)
    id = await publish_activity(client, clusters[0])
    await register(client, id, clusters[1])
    await record_attendance(client, id, [clusters[1]])
    replies = await asyncio.gather(*(post_step(client, id, "completion", 4) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 9
    assert [event.type for event in await factories.published_events(url)].count("training.completed") == 1
