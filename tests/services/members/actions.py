"""Requests to members, by an operator."""

from datetime import date
from typing import Any

import httpx2

from shared.auth import Role
from tests.support import factories

OPERATOR = factories.signed_in(Role.operator)
LAST_DAY = date(2099, 3, 1)
"""The last valid day of the label."""
Json = dict[str, Any]


async def register_labelled_cluster(client: httpx2.AsyncClient, **facts: Any) -> Json:
    """Register a cluster with a gold label in a new consortium."""
    consortium = await client.post("/consortia", json=factories.consortium(), headers=OPERATOR)
    body = factories.cluster(consortium.json()["id"]) | {"label": "gold", "label_valid_until": str(LAST_DAY)} | facts
    reply = await client.post("/clusters", json=body, headers=OPERATOR)
    assert reply.status_code == 201, reply.text
    cluster: Json = reply.json()
    return cluster
