"""The services and the console in one process on one port, as the embedded mode runs them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import uvicorn
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount

from services.console import main as console
from shared.auth import Issuer, KeySource, Principal, Role, Verifier
from shared.settings import Settings
from shared.transport.local import LocalTransport
from tests.support import services
from tests.support.waiting import eventually

SERVICES = ("members", "trainings", "matching", "notifications")
ISSUER = "https://issuer.test"
Create = Callable[[str], Awaitable[str]]

CODES = {
    "strategy": "Strategy",
    "value-chain-analysis": "Value-chain analysis",
    "market-foresight": "Market foresight",
    "services-to-firms": "Services to firms",
    "internationalisation": "Internationalisation",
    "financing": "Financing",
    "team-and-governance": "Team and governance",
    "cooperation-and-communication": "Cooperation and communication",
}


@dataclass
class World:
    """Where everything is, and how to act on it."""

    url: str
    token: str
    http: httpx2.AsyncClient
    services: Sequence[str]
    issuer: Issuer
    databases: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    async def post(self, path: str, body: object = None, *, version: int | None = None) -> dict[str, Any]:
        """POST to `<service>/<path>` as the operator; the answer has to be a success."""
        return await self._send("POST", path, body, version)

    async def put(self, path: str, body: object, *, version: int | None = None) -> dict[str, Any]:
        return await self._send("PUT", path, body, version)

    async def get(self, path: str) -> dict[str, Any]:
        return await self._send("GET", path, None, None)

    async def settled(self) -> None:
        """Return when every event has been sent and handled by everybody."""
        await eventually(self._quiet)

    async def _quiet(self) -> bool:
        states = [await self.get(f"{name}/ops/status") for name in self.services]
        unsent = sum(state["outbox"]["unsent"] for state in states)
        return not unsent and not any(inbox["pending"] for state in states for inbox in state["inbox"])

    async def _send(self, method: str, path: str, body: object, version: int | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        if version is not None:
            headers["If-Match"] = f'"v{version}"'
        response = await self.http.request(method, f"{self.url}/api/{path}", json=body, headers=headers)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    async def page(self, path: str) -> httpx2.Response:
        """A page as a browser asks for it."""
        return await self.http.get(f"{self.url}{path}", headers={"Accept": "text/html,*/*;q=0.8"})


@asynccontextmanager
async def world(create: Create, *, without: Sequence[str] = (), issuer: Issuer | None = None) -> AsyncIterator[World]:
    """Everything running; the services in `without` are away."""
    issuer = issuer or Issuer(ECKey.generate_key("P-256"), issuer=ISSUER, audience="kei")
    token = issuer.token(Principal("operator", frozenset({Role.operator})), timedelta(hours=1))
    # With its protocol said, asyncio sends without delay; else an answer waits 40 ms for an acknowledgement.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        present = [name for name in SERVICES if name not in without]
        databases = {name: await create(name) for name in present}
        app = _application(databases, issuer, url)
        config = uvicorn.Config(
            app, lifespan="on", log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started or serving.done())
            async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
                yield World(url, token, http, present, issuer, databases)
        finally:
            server.should_exit = True
            await serving


def _application(databases: dict[str, str], issuer: Issuer, url: str) -> Starlette:
    transport, keys, apps = LocalTransport(), KeySource.of(issuer.jwks()), {}
    for name, database in databases.items():
        settings = Settings.model_validate(
            {"database_url": database, "cursor_secret": "c" * 32, "issuer": ISSUER, "pool_size": 4}
        )
        apps[name] = services.build(name)(settings, transport=transport, keys=keys)
    verifier = Verifier(issuer=ISSUER, audience="kei", keys=keys)
    pages = console.build(f"{url}/api", console.console_token(issuer), verifier)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in [*apps.values(), pages]:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    mounts = [Mount(f"/api/{name}", app) for name, app in apps.items()]
    return Starlette(routes=[*mounts, Mount("/api", Response(status_code=503)), Mount("/", pages)], lifespan=lifespan)
