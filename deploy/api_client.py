"""The public HTTP APIs of a running Kei, as the command line and the story loader use them."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

import httpx2

from shared import clock

Json: TypeAlias = Any
"""A value as JSON has it; what is in it is the service's OpenAPI document to say."""

PATIENCE = 60.0
"""Seconds for which an unreachable or busy service is asked again."""
_AGAIN = {409, 425, 429, 502, 503, 504}


class Refused(Exception):
    """A service refused a request; the text is its sentence."""

    def __init__(self, response: httpx2.Response) -> None:
        problem = _problem(response)
        faults = [f"{one['field']}: {one['message']}" for one in problem.get("errors", []) if one.get("field")]
        detail = "; ".join([str(problem.get("detail", response.text[:200])), *faults])
        super().__init__(f"{response.request.method} {response.request.url.path}: {response.status_code} {detail}")
        self.status = response.status_code
        self.slug = str(problem.get("type", "")).rpartition(":")[2]


class Unreachable(Exception):
    """No answer came for as long as patience lasts."""


class Api:
    """A client of all services.

    Args:
        http: with the platform's base address.
        token: gives the bearer token for each request.
    """

    def __init__(self, http: httpx2.AsyncClient, token: Callable[[], str]) -> None:
        self._http, self._token = http, token

    async def get(self, service: str, path: str, **query: Any) -> Json:
        """The body of a GET."""
        return (await self.ask("GET", service, path, params=query)).json()

    async def items(self, service: str, path: str, **query: Any) -> list[Json]:
        """All items of a paged list."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(service, path, **query, **cursor)
            found += page["items"]
            if not page["next"]:
                return found
            cursor = {"cursor": page["next"]}

    async def write(
        self,
        service: str,
        path: str,
        body: Json,
        *,
        once: str,
        method: str = "POST",
        expected_version: str | None = None,
    ) -> Json:
        """Write so that the same `once` has one effect, however often it is asked for; return the answer's body."""
        headers = {"Idempotency-Key": str(uuid5(NAMESPACE_URL, f"urn:kei:once:{once}"))}
        if expected_version is not None:
            headers["If-Match"] = expected_version
        response = await self.ask(method, service, path, json=body, headers=headers)
        return response.json() if response.content else None

    async def ask(self, method: str, service: str, path: str, **options: Any) -> httpx2.Response:
        """One request; asked again while the service is away, restarts, or handles an earlier try of it.

        Raises:
            Refused: with the service's reason.
            Unreachable: patience is at its end.
        """
        headers = {"Authorization": f"Bearer {self._token()}", **options.pop("headers", {})}
        loop = asyncio.get_running_loop()
        until, wait = loop.time() + PATIENCE, 0.05
        while True:
            try:
                response = await self._http.request(method, f"/api/{service}{path}", headers=headers, **options)
            except httpx2.TransportError as error:
                if loop.time() > until:
                    raise Unreachable(f"No answer from {self._http.base_url}: {error}") from error
            else:
                if response.is_success:
                    return response
                if not _again(response) or loop.time() > until:
                    raise Refused(response)
            wait = min(wait * 1.5, 1.0)
            await asyncio.sleep(clock.jitter(wait))


def _again(response: httpx2.Response) -> bool:
    if response.status_code == 409:  # noqa: PLR2004
        return bool(_problem(response).get("type") == "urn:kei:problem:idempotency-key-in-use")
    return response.status_code in _AGAIN


def _problem(response: httpx2.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def trusted() -> ssl.SSLContext:
    """Whose certificates are taken: those of KEI_CA, a file, else of the system's authorities."""
    return ssl.create_default_context(cafile=os.environ.get("KEI_CA") or None)


@asynccontextmanager
async def connected(url: str, token: Callable[[], str]) -> AsyncIterator[Api]:
    """The API of the Kei at `url`."""
    timeout = httpx2.Timeout(30.0, connect=5.0)
    async with httpx2.AsyncClient(base_url=url, timeout=timeout, trust_env=False, verify=trusted()) as http:
        yield Api(http, token)
