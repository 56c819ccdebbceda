"""The embedded mode: every service and the console in one process, at one port, over the local transport or Kafka."""

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from deploy.databases import SERVICES
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.embedded.issuer import AUDIENCE, ISSUER, issuer_of
from deploy.kafka.topics import create_topics
from shared.auth import Issuer, KeySource, Verifier
from shared.settings import Settings
from shared.transport import Transport
from shared.transport.local import LocalTransport


@dataclass(frozen=True, slots=True)
class EmbeddedConfig:
    """Data directory and address of an embedded Kei, and its broker if it has one (host:port).

    The debounce of replans is shorter than in a deployment, where more events arrive.
    """

    data_dir: DataDirectory
    host: str
    port: int
    kafka: str | None
    replan_debounce_seconds: float = 1.0

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{self.host}:{self.port}"


def check_port(host: str, port: int) -> None:
    """Refuse an address that is in use.

    Raises:
        DataDirectoryError: it is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"Port {port} of {host} is in use ({error.strerror}). Choose another: kei run --port {port + 1}."
            raise DataDirectoryError(message) from error


async def build(config: EmbeddedConfig) -> Starlette:
    """The application of the whole platform: services under /api, the console at /.

    Raises:
        DataDirectoryError: PostgreSQL does not start.
        TopicsError: the broker cannot be reached.
    """
    databases = await config.data_dir.databases()
    issuer = issuer_of(config.data_dir)
    transport = LocalTransport()
    if config.kafka:
        await create_topics(config.kafka)
    services = {
        name: _build_service(config, name, databases[name], issuer, None if config.kafka else transport)
        for name in SERVICES
    }
    pages = importlib.import_module("services.console.main")  # as the services: only this mode needs all dependencies
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=KeySource.of(issuer.jwks()))
    console: FastAPI = pages.build(f"{config.url}/api", pages.console_token(issuer), verifier)

    async def jwks(_: Request) -> Response:
        return JSONResponse(issuer.jwks())

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for app in (*services.values(), console):
                begun = asyncio.Event()
                group.create_task(_run_lifespan(app, begun, over))
                await begun.wait()
            try:
                yield
            finally:
                over.set()

    routes = [Route("/.well-known/jwks.json", jwks)]
    mounts = [Mount(f"/api/{name}", app) for name, app in services.items()]
    return Starlette(routes=[*routes, *mounts, Mount("/", console)], lifespan=running)


async def _run_lifespan(app: FastAPI, begun: asyncio.Event, over: asyncio.Event) -> None:
    """All lifespans end at the same time, since each may take seconds without Kafka."""
    async with app.router.lifespan_context(app):
        begun.set()
        await over.wait()


def _build_service(
    config: EmbeddedConfig, name: str, database_url: str, issuer: Issuer, transport: Transport | None
) -> FastAPI:
    settings = Settings.model_validate(
        {
            "database_url": database_url,
            "kafka_bootstrap_servers": config.kafka,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "cursor_secret": config.data_dir.cursor_secret(),
            "replan_debounce_seconds": config.replan_debounce_seconds,
        }
    )
    main = importlib.import_module(f"services.{name}.main")
    app: FastAPI = main.build(settings, transport=transport, keys=KeySource.of(issuer.jwks()))
    return app
