"""Requests to notifications by operators and partners, and events for the feed."""

from typing import Any

import httpx2

from shared.auth import Role
from shared.events.envelope import Stored
from shared.transport import Transport
from tests.support import factories
from tests.support.waiting import eventually

OPERATOR = factories.signed_in(Role.operator)
SERVICE_REQUESTED = "kei.members.service.requested.v1"
TRAINING_PUBLISHED = "kei.trainings.training.published.v1"


async def add_partner(client: httpx2.AsyncClient, name: str = "Agora", *types: str) -> dict[str, Any]:
    """Add a partner; return it with its first key."""
    reply = await client.post("/partners", json={"name": name, "types": list(types)}, headers=OPERATOR)
    assert reply.status_code == 201, reply.text
    partner: dict[str, Any] = reply.json()
    return partner


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def head(client: httpx2.AsyncClient) -> int:
    position: int = (await client.get("/feed/head", headers=OPERATOR)).json()["position"]
    return position


async def deliver_to_feed(client: httpx2.AsyncClient, transport: Transport, *events: Stored) -> list[Stored]:
    """Deliver new events and wait until they are in the feed."""
    before = await head(client)
    await factories.deliver(transport, *events)

    async def arrived() -> bool:
        return await head(client) == before + len(events)

    await eventually(arrived)
    return list(events)


def new_events(count: int) -> list[Stored]:
    """New events of two types in turn, each of a different aggregate."""
    builders = (factories.service_requested, factories.training_published)
    return [factories.stored(builders[number % 2]()) for number in range(count)]


def problem(reply: httpx2.Response) -> tuple[int, str, list[str]]:
    """Status, slug and fields of a problem document."""
    body = reply.json()
    return reply.status_code, body["type"].rpartition(":")[2], [error["field"] for error in body["errors"]]
