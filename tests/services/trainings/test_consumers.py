"""The copy of the clusters follows members, in any order of events and with repeated events."""

import json
from dataclasses import replace
from uuid import uuid4

import httpx2

from shared.events.envelope import Stored
from shared.transport.local import LocalTransport
from tests.services.trainings.actions import wait_until_handled
from tests.support import factories

ID = uuid4()


async def names(url: str) -> list[tuple[str, int]]:
    return [(row["name"], row["version"]) for row in await factories.rows(url, "SELECT name, version FROM cluster")]


def registered(name: str = "INNOSKART") -> Stored:
    return factories.cluster_registered_event(cluster_id=ID, name=name)


async def test_a_cluster_becomes_known_once(client: httpx2.AsyncClient, url: str, transport: LocalTransport) -> None:
    event = registered()
    await factories.deliver(transport, event, event)
    await wait_until_handled(client, 1)
    await factories.deliver(transport, event)
    await factories.deliver(transport, factories.cluster_registered_event())
    await wait_until_handled(client, 2)
    assert ("INNOSKART", 1) in await names(url)
    assert len(await names(url)) == 2


async def test_an_older_version_changes_nothing(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport
) -> None:
    newest = factories.cluster_changed_event(5, cluster_id=ID, name="new")
    await factories.deliver(
        transport, newest, registered("first"), factories.cluster_changed_event(4, cluster_id=ID, name="old")
    )
    await wait_until_handled(client, 3)
    assert await names(url) == [("new", 5)]
    await factories.deliver(transport, factories.cluster_changed_event(6, cluster_id=ID, name="newer"))
    await wait_until_handled(client, 4)
    assert await names(url) == [("newer", 6)]


async def test_fields_of_a_later_time_are_passed_over(
    client: httpx2.AsyncClient, url: str, transport: LocalTransport
) -> None:
    event = registered()
    data = json.dumps(json.loads(event.data) | {"mood": "good"}).encode()
    await factories.deliver(transport, replace(event, data=data))
    await wait_until_handled(client, 1)
    assert await names(url) == [("INNOSKART", 1)]
