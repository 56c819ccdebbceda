"""console, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Path, Response

from services.console import html
from services.console.clients import Clients
from services.console.pages import cluster, feed, home, pairs, trainings
from services.console.problems import ProblemPages
from services.console.settings import ConsoleSettings
from shared import clock
from shared.auth import KeySource, Verifier, public
from shared.errors import NotFound
from shared.web import Router, create_app

static = Router(dependencies=[public()], include_in_schema=False)


@static.get("/static/{version}/{name}")
async def asset(version: str, name: Annotated[str, Path(max_length=100)]) -> Response:  # noqa: ARG001  it is for the browser
    """A static file; its address changes with its content, so it may be kept for ever."""
    found = html.assets().get(name)
    if found is None:
        raise NotFound("no-such-file", "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": found.media_type}
    return Response(found.body, headers=headers)


def build(settings: ConsoleSettings, token: Callable[[], str]) -> FastAPI:
    """The console's application.

    Args:
        settings: from its environment.
        token: gives a valid bearer token of the role service or operator. People do not sign in yet, so every page is
            what that role may see.
    """
    clients = Clients(settings.api, token)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await clients.close()

    app = create_app(
        title="Kei console",
        version="1",
        database=None,
        cursor_secret=clock.secret(),  # there are no cursors to sign
        verifier=Verifier(issuer="", audience="", keys=KeySource.of({"keys": []})),  # and nobody signs in
        routers=[home.router, cluster.router, trainings.router, pairs.router, feed.router, static],
        lifespan=lifespan,
    )
    app.state.clients = clients
    app.add_middleware(ProblemPages)
    return app
