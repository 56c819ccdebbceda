"""What partners and operators do with notifications."""

from typing import Any

import httpx2

from shared.auth import Role
from shared.events.envelope import Stored
from shared.transport import Transport
from tests.support import factories
from tests.support.waiting import eventually

OPERATOR = factories.signed_in(Role.operator)
SERVICE = "kei.members.service.requested.v1"
PUBLISHED = "kei.trainings.training.published.v1"


async def partner(client: httpx2.AsyncClient, name: str = "Agora", *types: str) -> dict[str, Any]:
    """A new partner with its first key."""
    reply = await client.post("/partners", json={"name": name, "types": list(types)}, headers=OPERATOR)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def head(client: httpx2.AsyncClient) -> int:
    position: int = (await client.get("/feed/head", headers=OPERATOR)).json()["position"]
    return position


async def arrive(client: httpx2.AsyncClient, transport: Transport, *events: Stored) -> list[Stored]:
    """Deliver new events and wait until the feed has them."""
    before = await head(client)
    await factories.deliver(transport, *events)

    async def there() -> bool:
        return await head(client) == before + len(events)

    await eventually(there)
    return list(events)


def mixed(count: int) -> list[Stored]:
    """New events of two types in turn, each of another aggregate."""
    kinds = (factories.service_requested, factories.training_published)
    return [factories.stored(kinds[number % 2]()) for number in range(count)]


def problem(reply: httpx2.Response) -> tuple[int, str, list[str]]:
    """Status, slug and fields of a refusal."""
    body = reply.json()
    return reply.status_code, body["type"].rpartition(":")[2], [one["field"] for one in body["errors"]]
