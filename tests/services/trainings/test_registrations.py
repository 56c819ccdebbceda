"""Registrations, attendance and completion over HTTP: each step, each refusal, and the events."""

from uuid import UUID, uuid4

import httpx2

from shared import clock
from shared.auth import Role
from tests.services.trainings.actions import (
    OPERATOR,
    draft_activity,
    post_step,
    problem,
    publish_activity,
    record_attendance,
    register,
    registrations,
)
from tests.support import factories


async def test_seats_are_confirmed_until_they_are_gone(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = await publish_activity(client, clusters[0], capacity=5)
    replies = [await register(client, id, cluster, seats) for cluster, seats in zip(clusters, (3, 3, 1), strict=False)]
    assert [reply.status_code for reply in replies] == [201, 201, 201]
    states = [(reply.json()["state"], reply.json()["place_in_queue"]) for reply in replies]
    assert states == [("confirmed", None), ("waitlisted", 1), ("waitlisted", 2)]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 3
    assert await registrations(client, id) == [reply.json() for reply in replies]
    events = (await factories.published_events(url))[1:]
    assert [(event.type, event.version) for event in events] == [
        ("registration.confirmed", 2),
        ("registration.waitlisted", 3),
        ("registration.waitlisted", 4),
    ]
    assert [event.data["registration_id"] for event in events] == [reply.json()["id"] for reply in replies]
    assert [event.data.get("place_in_queue") for event in events] == [None, 1, 2]


async def test_a_freed_seat_goes_to_the_head_of_the_queue(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = await publish_activity(client, clusters[0], capacity=4)
    created = [
        (await register(client, id, cluster, seats)).json()
        for cluster, seats in zip(clusters, (4, 1, 2, 2), strict=True)
    ]
    cancelled = await client.delete(f"/activities/{id}/registrations/{created[0]['id']}", headers=OPERATOR)
    assert cancelled.status_code == 204
    states = [(item["state"], item["place_in_queue"]) for item in await registrations(client, id)]
    assert states == [("cancelled", None), ("confirmed", None), ("confirmed", None), ("waitlisted", 1)]
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 3
    promoted = (await factories.published_events(url))[5:]
    assert [(event.type, event.version, event.data["registration_id"]) for event in promoted] == [
        ("registration.confirmed", 6, created[1]["id"]),
        ("registration.confirmed", 7, created[2]["id"]),
    ]
    again = await client.delete(f"/activities/{id}/registrations/{created[0]['id']}", headers=OPERATOR)
    assert again.status_code == 204
    assert len(await factories.published_events(url)) == 7
    back = await register(client, id, clusters[0])
    assert (back.json()["state"], back.json()["place_in_queue"]) == ("waitlisted", 2)


async def test_who_leaves_the_queue_lets_the_next_one_in(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await publish_activity(client, clusters[0], capacity=4)
    created = [
        (await register(client, id, cluster, seats)).json() for cluster, seats in zip(clusters, (3, 2, 1), strict=False)
    ]
    await client.delete(f"/activities/{id}/registrations/{created[1]['id']}", headers=OPERATOR)
    assert [item["state"] for item in await registrations(client, id)] == ["confirmed", "cancelled", "confirmed"]


async def test_registrations_that_cannot_be(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    unpublished = (await draft_activity(client, clusters[0]))["id"]
    assert problem(await register(client, unpublished, clusters[1])) == (409, "not-open", [])
    id = await publish_activity(client, clusters[0])
    event_count = len(await factories.published_events(url))
    assert problem(await register(client, id, uuid4())) == (422, "unknown-cluster", ["cluster_id"])
    foreign = uuid4()
    await factories.rows(url, "INSERT INTO cluster VALUES ($1, $2, 'far', 'Far Cluster', 1)", foreign, uuid4())
    assert problem(await register(client, id, foreign)) == (422, "unknown-cluster", ["cluster_id"])
    assert problem(await register(client, id, clusters[1], 6)) == (422, "too-many-seats", ["seats"])
    assert problem(await register(client, id, clusters[1], 21)) == (422, "invalid-request", ["body.seats"])
    assert problem(await register(client, str(uuid4()), clusters[1])) == (404, "no-such-activity", [])
    assert len(await factories.published_events(url)) == event_count
    assert (await register(client, id, clusters[1])).status_code == 201
    twice = await register(client, id, clusters[1])
    assert problem(twice) == (409, "already-registered", ["cluster_id"])
    assert twice.json()["detail"] == "The cluster is registered for Joint training in Bari already."


async def test_managers_register_and_cancel_their_own_cluster(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await publish_activity(client, clusters[0])
    manager = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=clusters[1])
    path = f"/activities/{id}/registrations"
    other = await client.post(path, json={"cluster_id": str(clusters[2])}, headers=manager)
    assert problem(other) == (403, "not-your-cluster", ["cluster_id"])
    created = await client.post(path, json={"cluster_id": str(clusters[1])}, headers=manager)
    assert (created.status_code, created.json()["seats"]) == (201, 1)
    other_id = (await register(client, id, clusters[2])).json()["id"]
    assert problem(await client.delete(f"{path}/{other_id}", headers=manager)) == (403, "not-your-cluster", [])
    assert (await client.delete(f"{path}/{created.json()['id']}", headers=manager)).status_code == 204
    assert problem(await client.delete(f"{path}/{uuid4()}", headers=manager)) == (404, "no-such-registration", [])
    stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
    assert problem(await client.delete(f"{path}/{other_id}", headers=stranger)) == (404, "no-such-activity", [])


async def test_completion_tells_who_gained_what(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    host, present, absent, waiting = clusters
    id = await publish_activity(client, host, capacity=3)
    for cluster in clusters:
        await register(client, id, cluster)
    missing = await post_step(client, id, "completion")
    assert problem(missing) == (409, "attendance-missing", [])
    assert missing.json()["detail"].endswith("Attendance is missing for: Cluster 0, Cluster 1, Cluster 2.")
    recorded = await record_attendance(client, id, [host, present, absent])
    assert (recorded.status_code, recorded.headers["etag"]) == (200, '"v7"')
    corrected = await record_attendance(client, id, [host, present], [absent])
    assert corrected.headers["etag"] == '"v8"'
    assert problem(await post_step(client, id, "completion", 7)) == (412, "stale", [])
    done = await post_step(client, id, "completion", 8)
    assert (done.status_code, done.json()["state"]) == (200, "completed")
    event = (await factories.published_events(url))[-1]
    assert (event.type, event.version) == ("training.completed", 6)
    assert event.data["attended"] == [str(host), str(present)]
    assert event.data["ended_on"] == clock.now().date().isoformat()
    assert event.data["gains"] == [
        {"cluster_id": str(present)} | taught for taught in factories.training(host)["teaches"]
    ]
    states = [item["state"] for item in await registrations(client, id)]
    assert states == ["attended", "attended", "absent", "waitlisted"]
    assert str(waiting) not in str(event.data)


async def test_what_is_over_stays_as_it_is(client: httpx2.AsyncClient, clusters: list[UUID], url: str) -> None:
    id = await publish_activity(client, clusters[0])
    registration = (await register(client, id, clusters[1])).json()
    await record_attendance(client, id, [clusters[1]])
    recorded = await client.delete(f"/activities/{id}/registrations/{registration['id']}", headers=OPERATOR)
    assert problem(recorded) == (409, "attendance-recorded", [])
    assert (await post_step(client, id, "completion")).status_code == 200
    event_count = len(await factories.published_events(url))
    assert problem(await post_step(client, id, "completion")) == (409, "not-open", [])
    assert problem(await register(client, id, clusters[2])) == (409, "not-open", [])
    assert problem(await record_attendance(client, id, [])) == (409, "not-open", [])
    cancelled = await client.delete(f"/activities/{id}/registrations/{registration['id']}", headers=OPERATOR)
    assert problem(cancelled) == (409, "not-open", [])
    assert len(await factories.published_events(url)) == event_count


async def test_attendance_that_cannot_be(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await publish_activity(client, clusters[0])
    await register(client, id, clusters[1])
    assert problem(await record_attendance(client, id, [clusters[1]], [clusters[1]])) == (
        422,
        "present-and-absent",
        ["absent"],
    )
    assert problem(await record_attendance(client, id, [clusters[2]])) == (422, "no-seats", ["present"])
    later = await publish_activity(client, clusters[0], starts_on="2199-01-01", ends_on="2199-01-02")
    assert problem(await record_attendance(client, later, [])) == (409, "not-begun", [])
    assert problem(await post_step(client, later, "completion")) == (409, "not-begun", [])


async def test_an_activity_takes_no_more_clusters_than_its_completion_can_name(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    teaches = [{"framework": "f", "indicator": f"i{n}", "gain": 1} for n in range(10)]
    id = await publish_activity(client, clusters[0], capacity=100, teaches=teaches)
    many = [uuid4() for _ in range(20)]
    await factories.rows(
        url, "INSERT INTO cluster SELECT id, $2, id, id, 1 FROM unnest($1::uuid[]) id", many, factories.CONSORTIUM
    )
    assert {(await register(client, id, cluster)).status_code for cluster in many} == {201}
    assert problem(await register(client, id, clusters[1])) == (409, "too-many-clusters", [])


async def test_to_leave_the_queue_frees_no_seat(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    id = await publish_activity(client, clusters[0], capacity=1)
    created = [(await register(client, id, cluster)).json() for cluster in clusters[:3]]
    assert [item["state"] for item in created] == ["confirmed", "waitlisted", "waitlisted"]
    path = f"/activities/{id}/registrations/{created[1]['id']}"
    assert (await client.delete(path, headers=OPERATOR)).status_code == 204
    assert (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["seats_taken"] == 1
    states = [(item["state"], item["place_in_queue"]) for item in await registrations(client, id)]
    assert states == [("confirmed", None), ("cancelled", None), ("waitlisted", 1)]


async def test_attendance_that_is_recorded_again_replaces_all_of_it(
    client: httpx2.AsyncClient, clusters: list[UUID]
) -> None:
    id = await publish_activity(client, clusters[0])
    for cluster in clusters[:3]:
        await register(client, id, cluster)
    await record_attendance(client, id, clusters[:2], clusters[2:3])
    assert (await record_attendance(client, id, clusters[:1])).status_code == 200
    assert [item["state"] for item in await registrations(client, id)] == ["attended", "confirmed", "confirmed"]
    missing = await post_step(client, id, "completion")
    assert problem(missing) == (409, "attendance-missing", [])
    assert missing.json()["detail"].endswith("Attendance is missing for: Cluster 1, Cluster 2.")


OVER = {"starts_on": "2017-06-28", "ends_on": "2017-06-29"}


async def test_nobody_is_promoted_when_the_activity_is_over(
    client: httpx2.AsyncClient, clusters: list[UUID], url: str
) -> None:
    id = await publish_activity(client, clusters[0], capacity=1, **OVER)
    created = [(await register(client, id, cluster)).json() for cluster in clusters[:2]]
    events = await factories.published_events(url)
    path = f"/activities/{id}/registrations/{created[0]['id']}"
    assert (await client.delete(path, headers=OPERATOR)).status_code == 204
    assert [item["state"] for item in await registrations(client, id)] == ["cancelled", "waitlisted"]
    assert await factories.published_events(url) == events


async def test_only_coordinators_register_for_what_is_over(client: httpx2.AsyncClient, clusters: list[UUID]) -> None:
    path = f"/activities/{await publish_activity(client, clusters[0], **OVER)}/registrations"
    today = f"/activities/{await publish_activity(client, clusters[0])}/registrations"
    body = {"cluster_id": str(clusters[1])}
    manager = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=clusters[1])
    assert problem(await client.post(path, json=body, headers=manager)) == (409, "over", [])
    assert (await client.post(today, json=body, headers=manager)).status_code == 201, "its last day is today"
    coordinator = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)
    assert (await client.post(path, json=body, headers=coordinator)).status_code == 201
