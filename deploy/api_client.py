"""The public HTTP APIs of a running Kei, for the command line and the sample data."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx2

from shared.api_client import ApiClient, Json

TIMEOUT_SECONDS = 30.0
"""For one attempt."""
RETRY_TIMEOUT_SECONDS = 60.0
"""For which a request to an unreachable or overloaded service is repeated."""


class Api:
    """Requests to all services.

    Args:
        http: the connections.
        url: of Kei; the services stand below `/api`.
        token: gives the bearer token for each request.
    """

    def __init__(self, http: httpx2.AsyncClient, url: str, token: Callable[[], str]) -> None:
        self._client = ApiClient(
            http, f"{url.rstrip('/')}/api", timeout=TIMEOUT_SECONDS, retry_timeout=RETRY_TIMEOUT_SECONDS
        )
        self._token = token

    async def get(self, service: str, path: str, **query: Any) -> Json:
        """The body of a GET."""
        return await self._client.json(self._token(), "GET", service, path, params=query)

    async def items(self, service: str, path: str) -> list[Json]:
        """All items of a paged list."""
        return await self._client.items(self._token(), service, path)

    async def write(
        self,
        service: str,
        path: str,
        body: Json,
        *,
        key: str,
        method: str = "POST",
        expected_version: str | None = None,
    ) -> Json:
        """Write with an idempotency key made of `key`; return the body of the response."""
        headers = {"Idempotency-Key": str(uuid5(NAMESPACE_URL, f"urn:kei:once:{key}"))}
        if expected_version is not None:
            headers["If-Match"] = expected_version
        return await self._client.json(self._token(), method, service, path, json=body, headers=headers)

    async def request(self, method: str, service: str, path: str, **options: Any) -> httpx2.Response:
        """A successful response; the request is repeated while the service is unavailable.

        Raises:
            ApiError: with the service's reason.
            ServiceUnavailable: it did not respond for `RETRY_TIMEOUT_SECONDS`.
        """
        return await self._client.request(self._token(), method, service, path, **options)


def tls_context() -> ssl.SSLContext:
    """Trusts the authorities in the file KEI_CA, else those of the system."""
    return ssl.create_default_context(cafile=os.environ.get("KEI_CA") or None)


@asynccontextmanager
async def open_client(url: str, token: Callable[[], str]) -> AsyncIterator[Api]:
    """The APIs of the Kei at `url`."""
    timeout = httpx2.Timeout(TIMEOUT_SECONDS, connect=5.0)
    async with httpx2.AsyncClient(timeout=timeout, trust_env=False, verify=tls_context()) as http:
        yield Api(http, url, token)
