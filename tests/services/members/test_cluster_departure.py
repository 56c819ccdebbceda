"""A cluster leaves: it is told once, and nothing about it changes any more."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.members.main import build
from shared.auth import Role
from tests.services.members.actions import OPERATOR, with_label
from tests.support import factories


async def archive(client: httpx2.AsyncClient, id: str, version: int, **caller: Any) -> httpx2.Response:
    headers = (factories.signed_in(**caller) if caller else OPERATOR) | {"If-Match": f'"v{version}"'}
    return await client.post(f"/clusters/{id}/archive", headers=headers)


async def test_it_is_told_and_nothing_changes_any_more(url: str) -> None:
    async with factories.running(build, url) as client:
        cluster = await with_label(client)
        id = cluster["id"]
        assert (await archive(client, id, 9)).status_code == 412
        gone = await archive(client, id, 1)
        assert (gone.json()["archived"], gone.json()["version"]) == (True, 2)
        assert [version for kind, version, _ in await factories.put(url) if kind == "cluster.archived"] == [2]
        assert (await archive(client, id, 2)).json()["type"].endswith("archived")
        names = ("slug", "name", "country", "ecosystems", "languages")
        facts = {name: cluster[name] for name in names}
        refused = await client.put(f"/clusters/{id}", json=facts, headers=OPERATOR | {"If-Match": '"v2"'})
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "archived")
        assert (await client.get(f"/clusters/{id}", headers=OPERATOR)).json()["archived"] is True


async def test_of_many_who_let_it_leave_one_does(url: str) -> None:
    async with factories.running(build, url) as client:
        id = (await with_label(client))["id"]
        replies = await asyncio.gather(*(archive(client, id, 1) for _ in range(6)))
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 5


@pytest.mark.parametrize(("role", "status"), [(Role.manager, 403), (Role.coordinator, 200)])
async def test_it_is_for_the_coordinator_to_say(url: str, role: Role, status: int) -> None:
    async with factories.running(build, url) as client:
        cluster = await with_label(client)
        caller = {"consortium": cluster["consortium_id"], "cluster": cluster["id"]}
        assert (await archive(client, cluster["id"], 1, role=role, **caller)).status_code == status
