"""The copy of the clusters follows members, whatever order events arrive in, and however often."""

import json
from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest

from shared.auth import Role
from shared.events.envelope import Stored
from shared.transport.local import LocalTransport
from tests.support import factories
from tests.support.waiting import eventually

ID = uuid4()


@pytest.fixture
def handled(client: httpx2.AsyncClient) -> "Handled":
    return Handled(client)


class Handled:
    """How many events trainings has handled; `dead` among them is a failure."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def __call__(self, count: int) -> None:
        async def reached() -> bool:
            status = (await self._client.get("/ops/status", headers=factories.signed_in(Role.operator))).json()
            assert sum(one["dead"] for one in status["inbox"]) == 0
            done: int = sum(one["done"] for one in status["inbox"])
            return done == count

        await eventually(reached)


async def names(url: str) -> list[tuple[str, int]]:
    return [(row["name"], row["version"]) for row in await factories.rows(url, "SELECT name, version FROM cluster")]


def registered(name: str = "INNOSKART") -> Stored:
    return factories.cluster_registered_event(cluster_id=ID, name=name)


async def test_a_cluster_becomes_known_once(url: str, transport: LocalTransport, handled: Handled) -> None:
    event = registered()
    await factories.deliver(transport, event, event)
    await handled(1)
    await factories.deliver(transport, event)
    await factories.deliver(transport, factories.cluster_registered_event())
    await handled(2)
    assert ("INNOSKART", 1) in await names(url)
    assert len(await names(url)) == 2


async def test_an_older_version_changes_nothing(url: str, transport: LocalTransport, handled: Handled) -> None:
    newest = factories.cluster_changed_event(5, cluster_id=ID, name="new")
    await factories.deliver(
        transport, newest, registered("first"), factories.cluster_changed_event(4, cluster_id=ID, name="old")
    )
    await handled(3)
    assert await names(url) == [("new", 5)]
    await factories.deliver(transport, factories.cluster_changed_event(6, cluster_id=ID, name="newer"))
    await handled(4)
    assert await names(url) == [("newer", 6)]


async def test_fields_of_a_later_time_are_passed_over(url: str, transport: LocalTransport, handled: Handled) -> None:
    event = registered()
    data = json.dumps(json.loads(event.data) | {"mood": "good"}).encode()
    await factories.deliver(transport, replace(event, data=data))
    await handled(1)
    assert await names(url) == [("INNOSKART", 1)]
