"""What a service tells an operator of itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.members import main as members
from services.trainings import main as trainings
from shared import version
from shared.auth import Role
from shared.transport.local import LocalTransport
from tests.support import factories
from tests.support.waiting import eventually

TOPIC = "kei.members.v1"
OPERATOR = factories.signed_in(Role.operator)
Create = Callable[[str], Awaitable[str]]


class LateTransport(LocalTransport):
    """A transport that is behind, and has lost something."""

    def lag(self) -> Mapping[str, int]:
        return {TOPIC: 7}

    def lost(self) -> Mapping[str, int]:
        return {TOPIC: 2}


async def get_status(client: httpx2.AsyncClient, query: str = "") -> dict[str, Any]:
    reply = await client.get(f"/ops/status{query}", headers=OPERATOR)
    assert reply.status_code == 200, reply.text
    status: dict[str, Any] = reply.json()
    return status


async def test_the_version_is_the_packages_with_the_build_if_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    version.version.cache_clear()
    monkeypatch.delenv("KEI_BUILD", raising=False)
    release = version.version()
    assert release.count(".") == 2
    version.version.cache_clear()
    monkeypatch.setenv("KEI_BUILD", "2f1c9ab")
    assert version.version() == f"{release}+2f1c9ab"
    version.version.cache_clear()


def test_a_service_without_a_database_has_no_revisions() -> None:
    assert version.revisions("trainings") == tuple(f"trainings_000{number}" for number in (5, 4, 3, 2, 1))
    assert version.revisions("console") == ()


async def test_the_status_tells_what_arrived_and_what_waits_on_the_transport(service_database: Create) -> None:
    transport = LateTransport()
    async with factories.running(trainings.build, await service_database("trainings"), transport=transport) as client:
        first, second = factories.cluster_registered_event(), factories.cluster_registered_event()
        await factories.deliver(transport, first)
        await factories.deliver(transport, second)

        async def handled() -> dict[str, Any]:
            status = await get_status(client)
            return status if status["inbox"][0]["done"] == 2 else {}

        status = await eventually(handled)
        topic = status["inbox"][0]
        assert (topic["topic"], topic["lag"], topic["lost_records"]) == (TOPIC, 7, 2)
        assert [event["id"] for event in topic["newest_handled"]] == [str(second.id)]
        assert status["version"] == version.version()
        newest = version.revisions("trainings")[0]
        assert status["revision"] == {"applied": newest, "latest": newest, "state": "current"}
        brief = (await get_status(client, "?include_done=false"))["inbox"][0]
        assert (brief["done"], brief["discarded"], brief["pending"]) == (None, None, 0)


async def test_a_process_that_reads_nothing_does_not_guess(service_database: Create) -> None:
    url = await service_database("trainings")
    async with factories.running(trainings.build, url, transport=LateTransport(), role="web") as client:
        topic = (await get_status(client))["inbox"][0]
        assert (topic["lag"], topic["lost_records"], topic["newest_handled"]) == (None, None, [])


@pytest.mark.parametrize(
    ("change", "applied", "state"),
    [
        ("UPDATE alembic_version SET version_num = 'members_9999'", "members_9999", "ahead"),
        ("DROP TABLE alembic_version", None, "behind"),
    ],
)
async def test_the_schema_is_held_against_what_the_code_knows(
    service_database: Create, change: str, applied: str | None, state: str
) -> None:
    url = await service_database("members")
    await factories.rows(url, change)
    async with factories.running(members.build, url) as client:
        revision = (await get_status(client))["revision"]
        assert revision == {"applied": applied, "latest": version.revisions("members")[0], "state": state}


async def test_an_older_schema_is_behind(service_database: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    known = version.revisions("members")
    monkeypatch.setattr("shared.web.admin_routes.revisions", lambda _: ("members_later", *known))
    async with factories.running(members.build, await service_database("members")) as client:
        revision = (await get_status(client))["revision"]
        assert (revision["applied"], revision["latest"], revision["state"]) == (
            known[0],
            "members_later",
            "behind",
        )


async def test_an_event_of_the_log_is_found_by_its_id(service_database: Create) -> None:
    async with factories.running(members.build, await service_database("members")) as client:
        assert (await get_status(client))["outbox"]["oldest_event_id"] is None
        made = await client.post("/consortia", json=factories.consortium(), headers=OPERATOR)
        await client.post("/clusters", json=factories.cluster(made.json()["id"]), headers=OPERATOR)

        async def placed() -> dict[str, Any]:
            items = (await client.get("/ops/events", headers=OPERATOR)).json()["items"]
            return items[0] if items else {}

        item = await eventually(placed)
        reply = await client.get(f"/ops/events/{item['event']['id']}", headers=OPERATOR)
        assert reply.json() == item
        assert (await get_status(client))["outbox"]["oldest_event_id"] == item["event"]["id"]
        gone = await client.get(f"/ops/events/{uuid4()}", headers=OPERATOR)
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:kei:problem:no-such-event")
        refused = await client.get(f"/ops/events/{UUID(int=1)}", headers=factories.signed_in(Role.manager))
        assert refused.status_code == 403
