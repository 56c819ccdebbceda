"""The doors of members: what each does, what it refuses, and the event it leaves in the outbox."""

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
    consortium = await posted(
        client,
        "/consortia",
        {"slug": "tk", "name": "TK", "programme": "COSME", "starts_on": "2016-11-16", "ends_on": "2018-11-15"},
    )
    await posted(client, "/frameworks", FRAMEWORK)
    return await posted(client, "/clusters", {**CLUSTER, "consortium_id": consortium["id"]})


async def posted(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], headers: dict[str, str] = OPERATOR
) -> dict[str, Any]:
    reply = await client.post(path, json=body, headers=headers)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def manager_of(cluster: dict[str, Any]) -> dict[str, str]:
    return factories.signed_in(Role.manager, consortium=cluster["consortium_id"], cluster=cluster["id"])


async def test_registering_a_cluster_publishes_it(url: str, cluster: dict[str, Any]) -> None:
    ((kind, version, data),) = await factories.put(url)
    assert (kind, version) == ("cluster.registered", 1)
    assert data["cluster_id"] == cluster["id"]
    assert data["mentor_capacity"] == 2


async def test_a_slug_is_taken_once_in_a_consortium(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    body = {**CLUSTER, "consortium_id": cluster["consortium_id"]}
    reply = await client.post("/clusters", json=body, headers=OPERATOR)
    assert reply.status_code == 409
    assert reply.json()["errors"][0]["field"] == "slug"
    assert len(await factories.put(url)) == 1


async def test_a_cluster_needs_a_consortium(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/clusters", json={**CLUSTER, "consortium_id": str(uuid4())}, headers=OPERATOR)
    assert reply.status_code == 404


async def test_every_change_is_a_version_and_an_event(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    at = f"/clusters/{cluster['id']}"
    mine = manager_of(cluster)
    facts = {key: value for key, value in CLUSTER.items() if key != "mentor_capacity"}
    changed = await client.put(at, json={**facts, "label": "silver"}, headers={**mine, "If-Match": '"v1"'})
    assert changed.headers["etag"] == '"v2"'
    capacity = {"mentor_capacity": 0, "learner_capacity": 3}
    assert (await client.put(f"{at}/capacity", json=capacity, headers={**mine, "If-Match": '"v2"'})).status_code == 200
    await posted(client, f"{at}/assessments", ASSESSMENT, mine)
    target = {"level": 4, "priority": 5}
    assert (await client.put(f"{at}/targets/check.1/foresight", json=target, headers=mine)).status_code == 200
    await posted(client, f"{at}/requests", {"framework": "check.1", "indicator": "foresight", "urgency": 3}, mine)
    events = await factories.put(url)
    assert [(kind, version) for kind, version, _ in events] == [
        ("cluster.registered", 1),
        ("cluster.changed", 2),
        ("capacity.changed", 3),
        ("assessment.recorded", 4),
        ("target.set", 5),
        ("service.requested", 6),
    ]
    assert events[3][2]["levels"] == [
        {"indicator": "foresight", "level": 2, "kind": "self", "assessed_on": "2025-01-01"}
    ]


async def test_levels_say_where_they_come_from(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    at = f"/clusters/{cluster['id']}"
    own = await posted(client, f"{at}/assessments", ASSESSMENT)
    expert = await posted(client, f"{at}/assessments", {**ASSESSMENT, "kind": "expert", "scores": {"foresight": 1}})
    (level,) = (await client.get(f"{at}/levels", headers=OPERATOR)).json()["items"]
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
    assert [one["field"] for one in reply.json()["errors"]] == [field]
    assert len(await factories.put(url)) == 1


async def test_an_assessment_is_recorded_once_a_day_and_kind(
    client: httpx2.AsyncClient, cluster: dict[str, Any]
) -> None:
    path = f"/clusters/{cluster['id']}/assessments"
    await posted(client, path, ASSESSMENT)
    assert (await client.post(path, json=ASSESSMENT, headers=OPERATOR)).status_code == 409


async def test_one_open_request_for_an_indicator_is_enough(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    path = f"/clusters/{cluster['id']}/requests"
    wish = {"framework": "check.1", "indicator": "foresight", "urgency": 3}
    await posted(client, path, wish)
    assert (await client.post(path, json=wish, headers=OPERATOR)).status_code == 409
    unknown = await client.post(path, json={**wish, "indicator": "magic"}, headers=OPERATOR)
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "indicator")


async def test_a_target_off_the_scale_is_refused(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    path = f"/clusters/{cluster['id']}/targets/check.1/foresight"
    reply = await client.put(path, json={"level": 6, "priority": 1}, headers=OPERATOR)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "level")


async def test_a_framework_may_be_added_again_but_not_changed(client: httpx2.AsyncClient) -> None:
    await posted(client, "/frameworks", FRAMEWORK)
    await posted(client, "/frameworks", FRAMEWORK)
    other = await client.post("/frameworks", json={**FRAMEWORK, "scale_max": 4}, headers=OPERATOR)
    assert other.status_code == 409


async def test_a_stale_version_and_a_missing_one_change_nothing(
    client: httpx2.AsyncClient, url: str, cluster: dict[str, Any]
) -> None:
    path, body = f"/clusters/{cluster['id']}/capacity", {"mentor_capacity": 1, "learner_capacity": 1}
    stale = await client.put(path, json=body, headers={**OPERATOR, "If-Match": '"v9"'})
    missing = await client.put(path, json=body, headers=OPERATOR)
    assert (stale.status_code, missing.status_code) == (412, 428)
    assert len(await factories.put(url)) == 1


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
    assert [version for _, version, _ in await factories.put(url)] == [1, 2]


async def test_who_belongs_elsewhere_sees_and_changes_nothing(
    client: httpx2.AsyncClient, cluster: dict[str, Any]
) -> None:
    stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
    sibling = factories.signed_in(Role.manager, consortium=cluster["consortium_id"], cluster=uuid4())
    at = f"/clusters/{cluster['id']}"
    for path in (at, f"{at}/levels", f"{at}/assessments"):
        assert (await client.get(path, headers=stranger)).status_code == 404
    assert (await client.get("/clusters", headers=stranger)).json()["items"] == []
    capacity = {"mentor_capacity": 1, "learner_capacity": 1}
    for caller in (stranger, sibling):
        reply = await client.put(f"{at}/capacity", json=capacity, headers={**caller, "If-Match": '"v1"'})
        assert reply.status_code == 404
        assert (await client.post(f"{at}/assessments", json=ASSESSMENT, headers=caller)).status_code == 404


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
        await posted(client, "/clusters", body)
    names: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/clusters", params=query, headers=OPERATOR)).json()
        names += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert names == ["C0", "C1", "C2", "C3", "INNOSKART"]
