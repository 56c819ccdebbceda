"""Requests to trainings, by an operator."""

from typing import Any
from uuid import UUID

import httpx2

from shared import clock
from shared.auth import Role
from tests.support import factories
from tests.support.waiting import eventually

OPERATOR = factories.signed_in(Role.operator)


async def wait_until_handled(client: httpx2.AsyncClient, count: int) -> None:
    """Wait until trainings has handled `count` events in all; none may be a dead letter."""

    async def handled() -> bool:
        status = (await client.get("/ops/status", headers=OPERATOR)).json()
        assert sum(inbox["dead"] for inbox in status["inbox"]) == 0
        done: int = sum(inbox["done"] for inbox in status["inbox"])
        return done == count

    await eventually(handled)


async def draft_activity(client: httpx2.AsyncClient, host: UUID, **other: Any) -> dict[str, Any]:
    reply = await client.post("/activities", json=factories.training(host, **other), headers=OPERATOR)
    assert reply.status_code == 201, reply.text
    activity: dict[str, Any] = reply.json()
    return activity


async def post_step(
    client: httpx2.AsyncClient, id: str, step: str, version: int | None = None, **headers: str
) -> httpx2.Response:
    """POST `publication` or `completion`; `version` None is the newest version."""
    if version is None:
        version = (await client.get(f"/activities/{id}", headers=OPERATOR)).json()["version"]
    return await client.post(f"/activities/{id}/{step}", headers=OPERATOR | headers | {"If-Match": f'"v{version}"'})


async def publish_activity(client: httpx2.AsyncClient, host: UUID, **other: Any) -> str:
    """The id of a new, published activity, which has begun and is not over."""
    dates = {"ends_on": clock.now().date().isoformat()}
    id: str = (await draft_activity(client, host, **dates | other))["id"]
    assert (await post_step(client, id, "publication")).status_code == 200
    return id


async def register(client: httpx2.AsyncClient, id: str, cluster: UUID, seats: int = 1) -> httpx2.Response:
    body = {"cluster_id": str(cluster), "seats": seats}
    return await client.post(f"/activities/{id}/registrations", json=body, headers=OPERATOR)


async def registrations(client: httpx2.AsyncClient, id: str) -> list[dict[str, Any]]:
    reply = await client.get(f"/activities/{id}/registrations", headers=OPERATOR, params={"limit": "100"})
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def record_attendance(
    client: httpx2.AsyncClient, id: str, present: list[UUID], absent: list[UUID] | None = None
) -> httpx2.Response:
    body = {"present": [str(cluster) for cluster in present], "absent": [str(cluster) for cluster in absent or []]}
    return await client.put(f"/activities/{id}/attendance", json=body, headers=OPERATOR)


def problem(reply: httpx2.Response) -> tuple[int, str, list[str]]:
    """Status, slug and fields of a problem document."""
    body = reply.json()
    return reply.status_code, body["type"].rpartition(":")[2], [error["field"] for error in body["errors"]]
