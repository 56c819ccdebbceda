"""What callers of members do, with an operator's rights."""

from datetime import date
from typing import Any

import httpx2

from shared.auth import Role
from tests.support import factories

OPERATOR = factories.signed_in(Role.operator)
LAST = date(2099, 3, 1)
"""The last day of a label."""
Json = dict[str, Any]


async def with_label(client: httpx2.AsyncClient, **facts: Any) -> Json:
    """A cluster, registered."""
    consortium = await client.post("/consortia", json=factories.consortium(), headers=OPERATOR)
    body = factories.cluster(consortium.json()["id"]) | {"label": "gold", "label_valid_until": str(LAST)} | facts
    reply = await client.post("/clusters", json=body, headers=OPERATOR)
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made
