"""Activities over HTTP: each step, each refusal, and the events."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.auth import Role
from tests.services.trainings.actions import OPERATOR, draft_activity, post_step, problem, publish_activity, register
from tests.support import factories

COORDINATOR = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)
STRANGER = factories.signed_in(Role.coordinator, consortium=uuid4())


def facts(host: UUID, **other: Any) -> dict[str, Any]:
    body = factories.training(host, **other)
    del body["consortium_id"]
    return body


async def test_a_draft_is_nobody_elses_business(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    reply = await client.post("/activities", json=factories.training(clusters[0]), headers=COORDINATOR)
    assert reply.status_code == 201
    drafted = reply.json()
    assert reply.headers["location"] == f"activities/{drafted['id']}"
    assert reply.headers["etag"] == '"v1"'
    assert drafted | factories.training(clusters[0]) == drafted
    assert (drafted["state"], drafted["seats_taken"], drafted["consortium_id"]) == (
        "draft",
        0,
        str(factories.CONSORTIUM),
    )
    assert await factories.published_events(url) == []
    shown = await client.get(f"/activities/{drafted['id']}", headers=COORDINATOR)
    assert (shown.json(), shown.headers["etag"]) == (drafted, '"v1"')


async def test_a_draft_can_be_changed(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    id = (await draft_activity(client, clusters[0]))["id"]
    changed = facts(clusters[0], title="Foresight in Bari", capacity=9)
    headers = OPERATOR | {"If-Match": '"v1"'}
    reply = await client.put(f"/activities/{id}", json=changed, headers=headers)
    assert (reply.status_code, reply.json()["title"], reply.headers["etag"]) == (200, "Foresight in Bari", '"v2"')
    again = await client.put(f"/activities/{id}", json=changed, headers=headers)
    assert problem(again) == (412, "stale", [])
    assert problem(await client.put(f"/activities/{id}", json=changed, headers=OPERATOR))[0] == 428
    assert await factories.published_events(url) == []


async def test_publication_tells_all(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    activity = await draft_activity(client, clusters[0])
    reply = await post_step(client, activity["id"], "publication", 1)
    assert (reply.status_code, reply.json()["state"], reply.headers["etag"]) == (200, "published", '"v2"')
    (event,) = await factories.published_events(url)
    assert (event.type, event.version) == ("training.published", 1)
    assert event.data["activity_id"] == activity["id"]
    assert {name: event.data[name] for name in ("title", "teaches", "sector_groups", "starts_on", "capacity")} == {
        name: activity[name] for name in ("title", "teaches", "sector_groups", "starts_on", "capacity")
    }
    assert problem(await post_step(client, activity["id"], "publication")) == (409, "not-a-draft", [])
    changed = await client.put(
        f"/activities/{activity['id']}", json=facts(clusters[0]), headers=OPERATOR | {"If-Match": '"v2"'}
    )
    assert problem(changed) == (409, "not-a-draft", [])
    assert len(await factories.published_events(url)) == 1


async def test_activities_are_listed_by_their_first_day(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    days = ["2018-03-01", "2017-06-28", "2017-06-28", "2016-12-01"]
    for day in days:
        await draft_activity(client, clusters[0], starts_on=day, ends_on="2018-03-02")
    first_days = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/activities", params=query, headers=COORDINATOR)).json()
        first_days += [item["starts_on"] for item in page["items"]]
        cursor = page["next"]
    assert first_days == sorted(days)
    assert (await client.get("/activities", headers=STRANGER)).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"host_cluster_id": str(uuid4())}, (422, "unknown-cluster", ["host_cluster_id"])),
        ({"consortium_id": str(uuid4())}, (422, "unknown-cluster", ["host_cluster_id"])),
        ({"ends_on": "2017-06-27"}, (422, "ends-before-start", ["ends_on"])),
        ({"capacity": 0}, (422, "invalid-request", ["body.capacity"])),
        ({"kind": "party"}, (422, "invalid-request", ["body.kind"])),
        ({"mood": "good"}, (422, "invalid-request", ["body.mood"])),
        (
            {"teaches": [{"framework": "f", "indicator": "i", "gain": 0}]},
            (422, "invalid-request", ["body.teaches.0.gain"]),
        ),
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(
    client: httpx2.AsyncClient,
    clusters: list[UUID],
    url: str,
    change: dict[str, object],
    expected: tuple[int, str, list[str]],
) -> None:
    reply = await client.post("/activities", json=factories.training(clusters[0], **change), headers=OPERATOR)
    assert problem(reply) == expected
    assert await factories.rows(url, "SELECT FROM activity") == []


async def test_who_may_do_what(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    def manager(cluster: UUID) -> dict[str, str]:
        return factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=cluster)

    body = factories.training(clusters[0])
    assert (await client.post("/activities", json=body)).status_code == 401
    associate = factories.signed_in(Role.associate, consortium=factories.CONSORTIUM, cluster=clusters[0])
    assert problem(await client.post("/activities", json=body, headers=associate)) == (403, "forbidden", [])
    other = await client.post("/activities", json=body, headers=manager(clusters[1]))
    assert problem(other) == (403, "not-your-cluster", ["host_cluster_id"])
    created = await client.post("/activities", json=body, headers=manager(clusters[0]))
    assert created.status_code == 201
    path = f"/activities/{created.json()['id']}"
    for step in ("publication", "completion"):
        refused = await client.post(f"{path}/{step}", headers=manager(clusters[1]) | {"If-Match": '"v1"'})
        assert problem(refused) == (403, "not-your-activity", [])
        unseen = await client.post(f"{path}/{step}", headers=STRANGER | {"If-Match": '"v1"'})
        assert problem(unseen) == (404, "no-such-activity", [])
    assert (await client.get(path, headers=manager(clusters[1]))).status_code == 200
    assert (await client.get(path, headers=STRANGER)).status_code == 404
    assert (await client.get(f"{path}/registrations", headers=STRANGER)).status_code == 404
    assert (await client.get(f"/activities/{uuid4()}", headers=OPERATOR)).status_code == 404


async def test_a_host_cannot_move_to_another_consortium(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = (await draft_activity(client, clusters[0]))["id"]
    elsewhere = uuid4()
    insert = "INSERT INTO cluster VALUES ($1, $2, 'far', 'Far Cluster', 1)"
    await factories.rows(url, insert, elsewhere, uuid4())
    reply = await client.put(f"/activities/{id}", json=facts(elsewhere), headers=OPERATOR | {"If-Match": '"v1"'})
    assert problem(reply) == (422, "unknown-cluster", ["host_cluster_id"])


async def test_a_retried_publication_publishes_once(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    id = await publish_activity(client, clusters[0])
    assert (await register(client, id, clusters[1])).status_code == 201
    activity = await draft_activity(client, clusters[0])
    first = await post_step(client, activity["id"], "publication", 1, **{"Idempotency-Key": "k1"})
    again = await post_step(client, activity["id"], "publication", 1, **{"Idempotency-Key": "k1"})
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert [event.type for event in await factories.published_events(url)].count("training.published") == 2


@pytest.mark.parametrize("day", ["0", "-0", "1782604800", "1782604800000", "0026-11-30", "9999-12-31", "2026-02-30"])
async def test_a_day_that_is_none_is_refused(client: httpx2.AsyncClient, clusters: list[UUID], day: str) -> None:
    for field in ("starts_on", "ends_on"):
        body = factories.training(clusters[0]) | {field: day}
        reply = await client.post("/activities", json=body, headers=COORDINATOR)
        assert problem(reply) == (422, "invalid-request", [f"body.{field}"])


async def test_a_draft_moves_only_to_a_host_that_the_caller_acts_for(
    client: httpx2.AsyncClient, clusters: list[UUID]
) -> None:
    own, neighbour, *_ = clusters
    id = (await draft_activity(client, own))["id"]
    manager = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=own)
    moved = await client.put(f"/activities/{id}", json=facts(neighbour), headers=manager | {"If-Match": '"v1"'})
    assert problem(moved) == (403, "not-your-cluster", ["host_cluster_id"])
    same_host = await client.put(f"/activities/{id}", json=facts(own), headers=manager | {"If-Match": '"v1"'})
    assert same_host.status_code == 200
    moved = await client.put(f"/activities/{id}", json=facts(neighbour), headers=COORDINATOR | {"If-Match": '"v2"'})
    assert (moved.status_code, moved.json()["host_cluster_id"]) == (200, str(neighbour))
