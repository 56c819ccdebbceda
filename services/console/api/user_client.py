"""Sends commands to matching with the token of the signed-in user; matching decides what the user may do."""

from typing import Any, NamedTuple
from uuid import UUID

import httpx2

from shared.api_client import ApiClient, ApiError, ServiceUnavailable

TIMEOUT_SECONDS = 30.0
"""For one command; a what-if of thousands of clusters takes ten seconds."""


class TokenRejected(Exception):
    """The service responded with 401: the token of the user is not valid, or not any more."""


class RequestRefused(Exception):
    """The service responded with another error status below 500; the text is its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ApiCommand(NamedTuple):
    """A request that changes something in matching. A repeated idempotency key has no second effect."""

    method: str
    path: str
    body: dict[str, Any]
    expected_version: int | None
    idempotency_key: UUID


class UserClient:
    """Commands of users; matching stands below `base_url`."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._client = ApiClient(self._http, base_url, timeout=TIMEOUT_SECONDS)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, token: str, command: ApiCommand) -> dict[str, Any]:
        """The JSON object with which matching responds.

        Raises:
            TokenRejected: the token is not valid.
            RequestRefused: with matching's reason.
            ServiceUnavailable: there was no usable response.
        """
        headers = {}
        if command.expected_version is not None:
            headers["If-Match"] = f'"v{command.expected_version}"'
        if command.method == "POST":
            headers["Idempotency-Key"] = str(command.idempotency_key)
        try:
            body = await self._client.json(
                token, command.method, "matching", command.path, json=command.body, headers=headers
            )
        except ApiError as error:
            reason = error.problem.detail or "This was refused."
            raise refusal("matching", error.status, " ".join([reason, *error.problem.errors])) from error
        if not isinstance(body, dict):
            raise ServiceUnavailable("matching", "gives an answer that cannot be read")
        return body


def refusal(service: str, status: int, reason: str) -> Exception:
    """The exception for an error status."""
    if status == httpx2.codes.UNAUTHORIZED:
        return TokenRejected()
    if httpx2.codes.is_server_error(status):
        return ServiceUnavailable(service, f"answers {status}")
    return RequestRefused(status, reason)
