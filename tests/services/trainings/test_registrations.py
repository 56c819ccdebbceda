"""Registrations, attendance and completion over HTTP: each step, each refusal, and what it tells others."""

from uuid import UUID, uuid4

import httpx2

from shared.auth import Role
from tests.services.trainings.actions import OPERATOR, act, attend, draft, problem, published, register, registrations
from tests.support import factories


async def test_seats_are_confirmed_until_they_are_gone(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = await published(client, clusters[0], capacity=5)
    replies = [await register(client, id, cluster, seats) for cluster, seats in zip(clusters, (3, 3, 1), strict=False)]
    assert [reply.status_code for reply in replies] == [201, 201, 201]
    seen = [(one.json()["state"], one.json()["place_in_queue"]) for one in replies]
    assert seen == [("confirmed", None), ("waitlisted", 1), ("waitlisted", 2)]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 3
    assert await registrations(client, id) == [reply.json() for reply in replies]
    told = (await factories.put(url))[1:]
    assert [(kind, version) for kind, version, _ in told] == [
        ("registration.confirmed", 2),
        ("registration.waitlisted", 3),
        ("registration.waitlisted", 4),
    ]
    assert [data["registration_id"] for _, _, data in told] == [reply.json()["id"] for reply in replies]
    assert [data.get("place_in_queue") for _, _, data in told] == [None, 1, 2]


async def test_a_freed_seat_goes_to_the_head_of_the_queue(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = await published(client, clusters[0], capacity=4)
    made = [
        (await register(client, id, cluster, seats)).json()
        for cluster, seats in zip(clusters, (4, 1, 2, 2), strict=True)
    ]
    gone = await client.delete(f"/activities/{id}/registrations/{made[0]['id']}", headers=OPERATOR)
    assert gone.status_code == 204
    states = [(one["state"], one["place_in_queue"]) for one in await registrations(client, id)]
    assert states == [("cancelled", None), ("confirmed", None), ("confirmed", None), ("waitlisted", 1)]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 3
    promoted = (await factories.put(url))[5:]
    assert [(kind, version, data["registration_id"]) for kind, version, data in promoted] == [
        ("registration.confirmed", 6, made[1]["id"]),
        ("registration.confirmed", 7, made[2]["id"]),
    ]
    again = await client.delete(f"/activities/{id}/registrations/{made[0]['id']}", headers=OPERATOR)
    assert again.status_code == 204
    assert len(await factories.put(url)) == 7
    back = await register(client, id, clusters[0])
    assert (back.json()["state"], back.json()["place_in_queue"]) == ("waitlisted", 2)


async def test_who_leaves_the_queue_lets_the_next_one_in(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await published(client, clusters[0], capacity=4)
    made = [
        (await register(client, id, cluster, seats)).json() for cluster, seats in zip(clusters, (3, 2, 1), strict=False)
    ]
    await client.delete(f"/activities/{id}/registrations/{made[1]['id']}", headers=OPERATOR)
    assert [one["state"] for one in await registrations(client, id)] == ["confirmed", "cancelled", "confirmed"]


async def test_registrations_that_cannot_be(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    sketch = (await draft(client, clusters[0]))["id"]
    assert problem(await register(client, sketch, clusters[1])) == (409, "not-open", [])
    id = await published(client, clusters[0])
    told = len(await factories.put(url))
    assert problem(await register(client, id, uuid4())) == (422, "unknown-cluster", ["cluster_id"])
    foreign = uuid4()
    await factories.rows(url, "INSERT INTO cluster VALUES ($1, $2, 'far', 'Far Cluster', 1)", foreign, uuid4())
    assert problem(await register(client, id, foreign)) == (422, "unknown-cluster", ["cluster_id"])
    assert problem(await register(client, id, clusters[1], 6)) == (422, "too-many-seats", ["seats"])
    assert problem(await register(client, id, clusters[1], 21)) == (422, "invalid-request", ["body.seats"])
    assert problem(await register(client, str(uuid4()), clusters[1])) == (404, "no-such-activity", [])
    assert len(await factories.put(url)) == told
    assert (await register(client, id, clusters[1])).status_code == 201
    twice = await register(client, id, clusters[1])
    assert problem(twice) == (409, "already-registered", ["cluster_id"])
    assert twice.json()["detail"] == "The cluster is registered for Joint training in Bari already."


async def test_managers_register_and_cancel_their_own_cluster(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await published(client, clusters[0])
    mine = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=clusters[1])
    here = f"/activities/{id}/registrations"
    other = await client.post(here, json={"cluster_id": str(clusters[2])}, headers=mine)
    assert problem(other) == (403, "not-your-cluster", ["cluster_id"])
    made = await client.post(here, json={"cluster_id": str(clusters[1])}, headers=mine)
    assert (made.status_code, made.json()["seats"]) == (201, 1)
    theirs = (await register(client, id, clusters[2])).json()["id"]
    assert problem(await client.delete(f"{here}/{theirs}", headers=mine)) == (403, "not-your-cluster", [])
    assert (await client.delete(f"{here}/{made.json()['id']}", headers=mine)).status_code == 204
    assert problem(await client.delete(f"{here}/{uuid4()}", headers=mine)) == (404, "no-such-registration", [])
    stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
    assert problem(await client.delete(f"{here}/{theirs}", headers=stranger)) == (404, "no-such-activity", [])


async def test_completion_tells_who_gained_what(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    host, present, away, waiting = clusters
    id = await published(client, host, capacity=3)
    for cluster in clusters:
        await register(client, id, cluster)
    missing = await act(client, id, "completion")
    assert problem(missing) == (409, "attendance-missing", [])
    assert missing.json()["detail"].endswith("Attendance is missing for: Cluster 0, Cluster 1, Cluster 2.")
    recorded = await attend(client, id, [host, present, away])
    assert (recorded.status_code, recorded.headers["etag"]) == (200, '"v7"')
    corrected = await attend(client, id, [host, present], [away])
    assert corrected.headers["etag"] == '"v8"'
    assert problem(await act(client, id, "completion", 7)) == (412, "stale", [])
    done = await act(client, id, "completion", 8)
    assert (done.status_code, done.json()["state"]) == (200, "completed")
    kind, version, data = (await factories.put(url))[-1]
    assert (kind, version) == ("training.completed", 6)
    assert data["attended"] == [str(host), str(present)]
    assert data["ended_on"] == "2017-06-29"
    assert data["gains"] == [{"cluster_id": str(present)} | one for one in factories.training(host)["teaches"]]
    states = [one["state"] for one in await registrations(client, id)]
    assert states == ["attended", "attended", "absent", "waitlisted"]
    assert str(waiting) not in str(data)


async def test_what_is_over_stays_as_it_is(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    id = await published(client, clusters[0])
    made = (await register(client, id, clusters[1])).json()
    await attend(client, id, [clusters[1]])
    recorded = await client.delete(f"/activities/{id}/registrations/{made['id']}", headers=OPERATOR)
    assert problem(recorded) == (409, "attendance-recorded", [])
    assert (await act(client, id, "completion")).status_code == 200
    told = len(await factories.put(url))
    assert problem(await act(client, id, "completion")) == (409, "not-open", [])
    assert problem(await register(client, id, clusters[2])) == (409, "not-open", [])
    assert problem(await attend(client, id, [])) == (409, "not-open", [])
    cancelled = await client.delete(f"/activities/{id}/registrations/{made['id']}", headers=OPERATOR)
    assert problem(cancelled) == (409, "not-open", [])
    assert len(await factories.put(url)) == told


async def test_attendance_that_cannot_be(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await published(client, clusters[0])
    await register(client, id, clusters[1])
    assert problem(await attend(client, id, [clusters[1]], [clusters[1]])) == (422, "present-and-absent", ["absent"])
    assert problem(await attend(client, id, [clusters[2]])) == (422, "no-seats", ["present"])
    later = await published(client, clusters[0], starts_on="2999-01-01", ends_on="2999-01-02")
    assert problem(await attend(client, later, [])) == (409, "not-begun", [])
    assert problem(await act(client, later, "completion")) == (409, "not-begun", [])


async def test_an_activity_takes_no_more_clusters_than_its_completion_can_name(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    teaches = [{"framework": "f", "indicator": f"i{n}", "gain": 1} for n in range(10)]
    id = await published(client, clusters[0], capacity=100, teaches=teaches)
    many = [uuid4() for _ in range(20)]
    await factories.rows(
        url, "INSERT INTO cluster SELECT id, $2, id, id, 1 FROM unnest($1::uuid[]) id", many, factories.CONSORTIUM
    )
    assert {(await register(client, id, one)).status_code for one in many} == {201}
    assert problem(await register(client, id, clusters[1])) == (409, "too-many-clusters", [])
