"""What callers of members do, and what a refusal says."""

from dataclasses import dataclass
from typing import Any

import httpx2

from shared.auth import Role
from tests.support import factories

OPERATOR = factories.signed_in(Role.operator)
JSON = {"Content-Type": "application/json"}
Refused = tuple[int, str, str]
"""Status, slug, and the field of the first error."""


@dataclass(frozen=True)
class Members:
    """A running members with one consortium and one cluster in it."""

    client: httpx2.AsyncClient
    url: str
    consortium: str
    cluster: str

    def body(self, **other: Any) -> dict[str, Any]:
        """A good body for `POST /clusters`."""
        return factories.cluster(self.consortium) | other

    async def post(self, content: bytes, path: str = "/clusters", **headers: str) -> httpx2.Response:
        additional = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=content, headers={**OPERATOR, **JSON, **additional})

    async def clusters(self) -> int:
        """How many clusters there are, by the rows."""
        return len(await factories.rows(self.url, "SELECT FROM cluster"))


def refused(reply: httpx2.Response) -> Refused:
    """What a refusal says; it is a problem document that tells nothing of our insides."""
    assert reply.headers["Content-Type"] == "application/problem+json", reply.text
    problem = reply.json()
    assert problem["status"] == reply.status_code
    assert problem["request_id"] == reply.headers["X-Request-ID"]
    assert not any(word in reply.text for word in ("Traceback", "sqlalchemy", "asyncpg", "pydantic", ".py"))
    fields = [error["field"] for error in problem.get("errors", [])]
    return reply.status_code, problem["type"].removeprefix("urn:kei:problem:"), fields[0] if fields else ""


def invalid(field: str) -> Refused:
    return 422, "invalid-request", field
