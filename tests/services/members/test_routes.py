"""The routes of members: their effects, their refusals, and the events that they publish."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.auth import Role
from tests.support import factories

CLUSTER: dict[str, Any] = {
    "slug": "innoskart",
    "name": "INNOSKART",
    "country": "HU",
    "ecosystems": ["digital"],
    "languages": ["hu", "en"],
    "mentor_capacity": 2,
}
FRAMEWORK = {
    "code": "check.1",
    "title": "Check",
    "scale_max": 5,
    "indicators": [{"code": "foresight", "title": "Foresight"}, {"code": "strategy", "title": "Strategy"}],
}
ASSESSMENT = {
    "framework": "check.1",
    "kind": "self",
    "assessed_on": "2025-01-01",
    "valid_until": "2099-01-01",
    "scores": {"foresight": 2},
}
OPERATOR = factories.signed_in(Role.operator)


@pytest.fixture
async def cluster(client: httpx2.AsyncClient) -> dict[str, Any]:
    consortium = await create(
        client,
        "/consortia",
        {"slug": "tk", "name": "TK", "programme": "COSME", "starts_on": "2016-11-16", "ends_on": "2018-11-15"},
    )
    await create(client, "/frameworks", FRAMEWORK)
    return await create(client, "/clusters", {**CLUSTER, "consortium_id": consortium["id"]})


async def create(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], headers: dict[str, str] = OPERATOR
) -> dict[str, Any]:
    reply = await client.post(path, json=body, headers=headers)
    assert reply.status_code == 201, reply.text
    created: dict[str, Any] = reply.json()
    return created


def manager_of(cluster: dict[str, Any]) -> dict[str, str]:
    return factories.signed_in(Role.manager, consortium=cluster["consortium_id"], cluster=cluster["id"])


async def test_registering_a_cluster_publishes_it(url: str, cluster: dict[str, Any]) -> None:
    (event,) = await factories.published_events(url)
    assert (event.type, event.version) == ("cluster.registered", 1)
    assert event.data["cluster_id"] == cluster["id"]
    assert event.data["mentor_capacity"] == 2


async def test_a_slug_is_taken_once_in_a_consortium(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    body = {**CLUSTER, "consortium_id": cluster["consortium_id"]}
    reply = await client.post("/clusters", json=body, headers=OPERATOR)
    assert reply.status_code == 409
    assert reply.json()["errors"][0]["field"] == "slug"
    assert len(await factories.published_events(url)) == 1


async def test_a_cluster_needs_a_consortium(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/clusters", json={**CLUSTER, "consortium_id": str(uuid4())}, headers=OPERATOR)
    assert reply.status_code == 404


async def test_every_change_is_a_version_and_an_event(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    path = f"/clusters/{cluster['id']}"
    manager = manager_of(cluster)
    facts = {key: value for key, value in CLUSTER.items() if key != "mentor_capacity"}
    changed = await client.put(path, json={**facts, "region": "Pannonia"}, headers={**manager, "If-Match": '"v1"'})
    assert changed.headers["etag"] == '"v2"'
    capacity = {"mentor_capacity": 0, "learner_capacity": 3}
    assert (
        await client.put(f"{path}/capacity", json=capacity, headers={**manager, "If-Match": '"v2"'})
    ).status_code == 200
    await create(client, f"{path}/assessments", ASSESSMENT, manager)
    target = {"level": 4, "priority": 5}
    assert (await client.put(f"{path}/targets/check.1/foresight", json=target, headers=manager)).status_code == 200
    await create(client, f"{path}/requests", {"framework": "check.1", "indicator": "foresight", "urgency": 3}, manager)
    events = await factories.published_events(url)
    assert [(event.type, event.version) for event in events] == [
        ("cluster.registered", 1),
        ("cluster.changed", 2),
        ("capacity.changed", 3),
        ("assessment.recorded", 4),
        ("target.set", 5),
        ("service.requested", 6),
    ]
    assert events[3].data["levels"] == [
        {"indicator": "foresight", "level": 2, "kind": "self", "assessed_on": "2025-01-01"}
    ]


async def test_levels_say_where_they_come_from(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    path = f"/clusters/{cluster['id']}"
    own = await create(client, f"{path}/assessments", ASSESSMENT)
    expert = await create(client, f"{path}/assessments", {**ASSESSMENT, "kind": "expert", "scores": {"foresight": 1}})
    (level,) = (await client.get(f"{path}/levels", headers=OPERATOR)).json()["items"]
    assert (level["level"], level["kind"], level["assessment_id"]) == (1, "expert", expert["id"])
    assert own["id"] != expert["id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"framework": "none.1"}, "framework"),
        ({"scores": {"magic": 1}}, "scores"),
        ({"scores": {"foresight": 6}}, "scores"),
        ({"assessed_on": "2098-01-01"}, "assessed_on"),
        ({"valid_until": "2024-01-01"}, "valid_until"),
    ],
)
async def test_an_assessment_that_makes_no_sense_is_refused_by_field(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    path = f"/clusters/{cluster['id']}/assessments"
    reply = await client.post(path, json={**ASSESSMENT, **change}, headers=OPERATOR)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
    assert len(await factories.published_events(url)) == 1


async def test_an_assessment_is_recorded_once_a_day_and_kind(
    client: httpx2.AsyncClient, cluster: dict[str, Any]
) -> None:
    path = f"/clusters/{cluster['id']}/assessments"
    await create(client, path, ASSESSMENT)
    assert (await client.post(path, json=ASSESSMENT, headers=OPERATOR)).status_code == 409


async def test_one_open_request_for_an_indicator_is_enough(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    path = f"/clusters/{cluster['id']}/requests"
    request = {"framework": "check.1", "indicator": "foresight", "urgency": 3}
    await create(client, path, request)
    assert (await client.post(path, json=request, headers=OPERATOR)).status_code == 409
    unknown = await client.post(path, json={**request, "indicator": "magic"}, headers=OPERATOR)
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "indicator")


async def test_a_target_off_the_scale_is_refused(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    path = f"/clusters/{cluster['id']}/targets/check.1/foresight"
    reply = await client.put(path, json={"level": 6, "priority": 1}, headers=OPERATOR)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "level")


async def test_a_framework_may_be_added_again_but_not_changed(client: httpx2.AsyncClient) -> None:
    await create(client, "/frameworks", FRAMEWORK)
    await create(client, "/frameworks", FRAMEWORK)
    other = await client.post("/frameworks", json={**FRAMEWORK, "scale_max": 4}, headers=OPERATOR)
    assert other.status_code == 409


async def test_a_stale_version_and_a_missing_one_change_nothing(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    path, body = f"/clusters/{cluster['id']}/capacity", {"mentor_capacity": 1, "learner_capacity": 1}
    stale = await client.put(path, json=body, headers={**OPERATOR, "If-Match": '"v9"'})
    missing = await client.put(path, json=body, headers=OPERATOR)
    assert (stale.status_code, missing.status_code) == (412, 428)
    assert len(await factories.published_events(url)) == 1


async def test_of_changes_that_saw_the_same_version_one_wins(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    path = f"/clusters/{cluster['id']}/capacity"
    replies = await asyncio.gather(
        *(
            client.put(
                path,
                json={"mentor_capacity": number, "learner_capacity": 1},
                headers={**OPERATOR, "If-Match": '"v1"'},
            )
            for number in range(8)
        )
    )
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 7
    assert [event.version for event in await factories.published_events(url)] == [1, 2]


async def test_who_belongs_elsewhere_sees_and_changes_nothing(
    client: httpx2.AsyncClient, cluster: dict[str, Any]
) -> None:
    stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
    sibling = factories.signed_in(Role.manager, consortium=cluster["consortium_id"], cluster=uuid4())
    path = f"/clusters/{cluster['id']}"
    for suffix in ("", "/levels", "/assessments"):
        assert (await client.get(path + suffix, headers=stranger)).status_code == 404
    assert (await client.get("/clusters", headers=stranger)).json()["items"] == []
    capacity = {"mentor_capacity": 1, "learner_capacity": 1}
    for caller in (stranger, sibling):
        reply = await client.put(f"{path}/capacity", json=capacity, headers={**caller, "If-Match": '"v1"'})
        assert reply.status_code == 404
        assert (await client.post(f"{path}/assessments", json=ASSESSMENT, headers=caller)).status_code == 404


async def test_only_the_right_roles_may_write(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    associate = factories.signed_in(Role.associate, consortium=cluster["consortium_id"], cluster=cluster["id"])
    assert (
        await client.post(f"/clusters/{cluster['id']}/assessments", json=ASSESSMENT, headers=associate)
    ).status_code == 403
    assert (await client.post("/consortia", json={}, headers=manager_of(cluster))).status_code == 403
    assert (await client.get("/clusters")).status_code == 401


async def test_pages_follow_each_other_to_the_end(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    for number in range(4):
        body = {**CLUSTER, "consortium_id": cluster["consortium_id"], "slug": f"c{number}", "name": f"C{number}"}
        await create(client, "/clusters", body)
    names: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/clusters", params=query, headers=OPERATOR)).json()
        names += [item["name"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert names == ["C0", "C1", "C2", "C3", "INNOSKART"]
