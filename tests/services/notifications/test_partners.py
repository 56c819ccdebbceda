"""Partners and their keys: shown once, several valid at the same time, revoked immediately."""

from uuid import uuid4

import httpx2
import pytest

from shared.auth import Role
from tests.services.notifications.actions import (
    OPERATOR,
    SERVICE_REQUESTED,
    TRAINING_PUBLISHED,
    add_partner,
    bearer,
    problem,
)
from tests.support import factories


async def readable(client: httpx2.AsyncClient, key: str) -> bool:
    status = (await client.get("/feed", headers=bearer(key))).status_code
    assert status in {200, 401}
    return status == 200


async def test_a_key_is_shown_once_and_stored_as_a_hash(client: httpx2.AsyncClient, url: str) -> None:
    partner = await add_partner(client, "Agora", SERVICE_REQUESTED, TRAINING_PUBLISHED, SERVICE_REQUESTED)
    assert partner["types"] == [SERVICE_REQUESTED, TRAINING_PUBLISHED]
    assert partner["key"].startswith(f"kei_{partner['prefix']}_")
    listed = await client.get("/partners", headers=OPERATOR)
    (item,) = listed.json()["items"]
    assert (item["id"], item["name"], item["types"]) == (partner["id"], "Agora", partner["types"])
    assert [(key["prefix"], key["revoked_at"]) for key in item["keys"]] == [(partner["prefix"], None)]
    assert partner["key"] not in listed.text
    (row,) = await factories.rows(url, "SELECT hash FROM api_key")
    assert len(row["hash"]) == 32


async def test_a_retry_makes_nothing_new_and_tells_no_secret(client: httpx2.AsyncClient, url: str) -> None:
    headers = OPERATOR | {"Idempotency-Key": "k1"}
    first = await client.post("/partners", json={"name": "Agora"}, headers=headers)
    again = await client.post("/partners", json={"name": "Agora"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json() | {"key": None}
    assert await readable(client, first.json()["key"])
    (stored,) = await factories.rows(url, "SELECT body FROM idempotency")
    assert first.json()["key"].split("_", 2)[2].encode() not in stored["body"]


async def test_two_keys_live_until_one_is_revoked(client: httpx2.AsyncClient) -> None:
    partner = await add_partner(client)
    more = await client.post(f"/partners/{partner['id']}/keys", headers=OPERATOR)
    assert more.status_code == 201
    old, new = partner["key"], more.json()["key"]
    assert old != new
    assert await readable(client, old)
    assert await readable(client, new)
    path = f"/partners/{partner['id']}/keys"
    for _ in range(2):
        assert (await client.delete(f"{path}/{partner['prefix']}", headers=OPERATOR)).status_code == 204
    assert not await readable(client, old)
    assert await readable(client, new)
    (item,) = (await client.get("/partners", headers=OPERATOR)).json()["items"]
    assert [key["revoked_at"] is None for key in item["keys"]] == [False, True]


async def test_what_cannot_be(client: httpx2.AsyncClient) -> None:
    partner = await add_partner(client)
    other = await add_partner(client, "Other")

    async def post(**body: object) -> tuple[int, str, list[str]]:
        return problem(await client.post("/partners", json=body, headers=OPERATOR))

    assert await post(name="Agora") == (409, "name-taken", ["name"])
    assert await post(name="New", types=["kei.members.target.set.v1"]) == (422, "unknown-type", ["types"])
    assert await post(name="") == (422, "invalid-request", ["body.name"])
    unknown = await client.post(f"/partners/{uuid4()}/keys", headers=OPERATOR)
    assert problem(unknown) == (404, "no-such-partner", [])
    foreign = await client.delete(f"/partners/{partner['id']}/keys/{other['prefix']}", headers=OPERATOR)
    assert problem(foreign) == (404, "no-such-key", [])
    assert await readable(client, other["key"])


@pytest.mark.parametrize("role", [Role.coordinator, Role.manager, Role.partner, Role.service])
async def test_only_operators_have_partners(client: httpx2.AsyncClient, role: Role) -> None:
    headers = factories.signed_in(role, consortium=factories.CONSORTIUM)
    assert (await client.post("/partners", json={"name": "x"}, headers=headers)).status_code == 403
    assert (await client.get("/partners", headers=headers)).status_code == 403
    assert (await client.post(f"/partners/{uuid4()}/keys", headers=headers)).status_code == 403
    assert (await client.delete(f"/partners/{uuid4()}/keys/abcdefgh1234", headers=headers)).status_code == 403
