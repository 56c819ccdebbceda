"""A cluster leaves: the event is published once, and the cluster cannot be changed any more."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.members.main import build
from shared.auth import Role
from tests.services.members.actions import OPERATOR, register_labelled_cluster
from tests.support import factories


async def archive(client: httpx2.AsyncClient, id: str, version: int, **caller: Any) -> httpx2.Response:
    headers = (factories.signed_in(**caller) if caller else OPERATOR) | {"If-Match": f'"v{version}"'}
    return await client.post(f"/clusters/{id}/archive", headers=headers)


async def test_it_is_told_and_nothing_changes_any_more(url: str) -> None:
    async with factories.running(build, url) as client:
        cluster = await register_labelled_cluster(client)
        id = cluster["id"]
        assert (await archive(client, id, 9)).status_code == 412
        archived = await archive(client, id, 1)
        assert (archived.json()["archived"], archived.json()["version"]) == (True, 2)
        assert [
            event.version for event in await factories.published_events(url) if event.type == "cluster.archived"
        ] == [2]
        assert (await archive(client, id, 2)).json()["type"].endswith("archived")
        names = ("slug", "name", "country", "ecosystems", "languages")
        facts = {name: cluster[name] for name in names}
        refused = await client.put(f"/clusters/{id}", json=facts, headers=OPERATOR | {"If-Match": '"v2"'})
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "archived")
        assert (await client.get(f"/clusters/{id}", headers=OPERATOR)).json()["archived"] is True


async def test_of_many_who_let_it_leave_one_does(url: str) -> None:
    async with factories.running(build, url) as client:
        id = (await register_labelled_cluster(client))["id"]
        replies = await asyncio.gather(*(archive(client, id, 1) for _ in range(6)))
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 5


@pytest.mark.parametrize(("role", "status"), [(Role.manager, 403), (Role.coordinator, 200)])
async def test_it_is_for_the_coordinator_to_say(url: str, role: Role, status: int) -> None:
    async with factories.running(build, url) as client:
        cluster = await register_labelled_cluster(client)
        caller = {"consortium": cluster["consortium_id"], "cluster": cluster["id"]}
        assert (await archive(client, cluster["id"], 1, role=role, **caller)).status_code == status
