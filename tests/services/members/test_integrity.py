"""What a manager may not say of its own cluster, because others decide by it."""

from typing import Any

import httpx2
import pytest

from shared.auth import Role
from tests.services.members.test_routes import ASSESSMENT, CLUSTER, FRAMEWORK, OPERATOR, create
from tests.support import factories

CALLERS = ("manager", "coordinator", "operator")
FACTS = {name: value for name, value in CLUSTER.items() if name != "mentor_capacity"}
GOLD = {"label": "gold", "label_valid_until": "2099-01-01"}


@pytest.fixture
async def cluster(client: httpx2.AsyncClient) -> dict[str, Any]:
    consortium = await create(client, "/consortia", factories.consortium())
    await create(client, "/frameworks", FRAMEWORK)
    neighbour = {**CLUSTER, "consortium_id": consortium["id"], "slug": "neighbour", "name": "Agro Cluster"}
    await create(client, "/clusters", neighbour)
    return await create(client, "/clusters", {**CLUSTER, "consortium_id": consortium["id"]})


def headers_of(caller: str, cluster: dict[str, Any]) -> dict[str, str]:
    role = Role[caller]
    own = cluster["id"] if role is Role.manager else None
    return factories.signed_in(role, consortium=cluster["consortium_id"], cluster=own)


def problem(reply: httpx2.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["errors"][0]["field"]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("kind", ["expert", "peer", "self"])
async def test_only_a_coordinator_records_what_others_assessed(
    client: httpx2.AsyncClient, cluster: dict[str, Any], caller: str, kind: str
) -> None:
    path, body = f"/clusters/{cluster['id']}/assessments", {**ASSESSMENT, "kind": kind}
    reply = await client.post(path, json=body, headers=headers_of(caller, cluster))
    if caller == "manager" and kind != "self":
        assert problem(reply) == (403, "kind")
        levels = (await client.get(f"/clusters/{cluster['id']}/levels", headers=OPERATOR)).json()
        assert levels["items"] == []
    else:
        assert reply.status_code == 201, reply.text


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("label", [GOLD, {"label": "bronze"}, {"label": "none", "label_valid_until": "2099-01-01"}])
async def test_only_a_coordinator_changes_a_label(
    client: httpx2.AsyncClient, cluster: dict[str, Any], caller: str, label: dict[str, Any]
) -> None:
    path, headers = f"/clusters/{cluster['id']}", headers_of(caller, cluster)
    reply = await client.put(path, json={**FACTS, **label}, headers={**headers, "If-Match": '"v1"'})
    if caller == "manager":
        assert problem(reply) == (403, "label")
        assert (await client.get(path, headers=OPERATOR)).json() == cluster
    else:
        assert (reply.status_code, reply.json()["label"]) == (200, label["label"])


async def test_a_manager_changes_other_facts_and_keeps_the_label(
    client: httpx2.AsyncClient, cluster: dict[str, Any]
) -> None:
    path = f"/clusters/{cluster['id']}"
    await client.put(path, json={**FACTS, **GOLD}, headers={**OPERATOR, "If-Match": '"v1"'})
    headers = {**headers_of("manager", cluster), "If-Match": '"v2"'}
    reply = await client.put(path, json={**FACTS, **GOLD, "region": "Pannonia"}, headers=headers)
    assert (reply.status_code, reply.json()["label"], reply.json()["region"]) == (200, "gold", "Pannonia")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    "name", ["Agro Cluster", "AGRO  CLUSTER", "agro\u00adcluster", "Agro\u200d Cluster", "\uff21gro Cluster"], ids=ascii
)
async def test_two_clusters_of_a_consortium_have_two_names(
    client: httpx2.AsyncClient, cluster: dict[str, Any], caller: str, name: str
) -> None:
    headers = headers_of(caller, cluster) | {"If-Match": '"v1"'}
    reply = await client.put(f"/clusters/{cluster['id']}", json={**FACTS, "name": name}, headers=headers)
    assert problem(reply) == (409, "name")
    body = {**CLUSTER, "consortium_id": cluster["consortium_id"], "slug": "third", "name": name}
    assert problem(await client.post("/clusters", json=body, headers=OPERATOR)) == (409, "name")
    other = await create(client, "/consortia", factories.consortium() | {"slug": "other"})
    await create(client, "/clusters", {**body, "consortium_id": other["id"]})


async def test_the_name_of_a_cluster_that_has_left_is_free(client: httpx2.AsyncClient, cluster: dict[str, Any]) -> None:
    await client.post(f"/clusters/{cluster['id']}/archive", headers={**OPERATOR, "If-Match": '"v1"'})
    await create(client, "/clusters", {**CLUSTER, "consortium_id": cluster["consortium_id"], "slug": "second"})
