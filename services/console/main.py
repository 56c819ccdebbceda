"""console, put together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, Path, Response

from services.console.api.operator_client import Operating
from services.console.api.public_client import Clients
from services.console.api.user_client import Acting
from services.console.jobs.certificate_monitor import Address, Certificates, addresses
from services.console.pages import (
    cluster,
    compare,
    desk,
    feed,
    home,
    ledger,
    mentorships,
    next_steps,
    operations,
    pairs,
    plan,
    sign_in,
    trainings,
    what_ifs,
)
from services.console.request.error_pages import ProblemPages
from services.console.request.forms import MAX_BYTES
from services.console.request.session import SignInFirst, Visitors, send_to_sign_in
from services.console.settings import ConsoleSettings
from services.console.view import templating
from shared import clock
from shared.auth import Issuer, KeySource, Principal, Role, Verifier, public
from shared.errors import NotFound
from shared.web import Limits, Ops, Router, create_app
from shared.web.limits import FORM

ITSELF = Principal("console", frozenset({Role.service}))
"""Who the console is when it asks for everybody."""
LIFETIME = timedelta(minutes=15)
"""Of the tokens it signs for itself."""

PAGES = (
    *(home, cluster, trainings, pairs, mentorships, ledger, next_steps, feed),
    *(desk, plan, what_ifs, compare, operations, sign_in),
)

static = Router(dependencies=[public()], include_in_schema=False)


@static.get("/static/{version}/{name}")
async def asset(version: str, name: Annotated[str, Path(max_length=100)]) -> Response:  # noqa: ARG001  it is for the browser
    """A static file; its address changes with its content, so it may be kept for ever."""
    found = templating.assets().get(name)
    if found is None:
        raise NotFound("no-such-file", "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": found.media_type}
    return Response(found.body, headers=headers)


def from_environment(settings: ConsoleSettings) -> FastAPI:
    """The application of a console that runs by itself.

    Raises:
        OSError: the issuer's key cannot be read.
    """
    issuer = Issuer.load(settings.issuer_key, issuer=settings.issuer, audience=settings.audience)
    verifier = Verifier(issuer=settings.issuer, audience=settings.audience, keys=KeySource.at(settings.jwks_url))
    watched = addresses(settings.monitored_certificates)
    return build(settings.api_url, lambda: issuer.token(ITSELF, LIFETIME), verifier, watched)


def build(api: str, token: Callable[[], str], verifier: Verifier, watched: Sequence[Address] = ()) -> FastAPI:
    """The console's application.

    Args:
        api: the address that the services stand below.
        token: gives a valid bearer token of the role service: the public pages show what that role may see.
        verifier: checks the tokens of people who sign in. What is for operators is asked with theirs.
        watched: where certificates are shown; when they end is among the metrics.
    """
    clients, operating, acting = Clients(api, token), Operating(api), Acting(api)
    certificates = Certificates(watched)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(certificates.run())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await clients.close()
            await operating.close()
            await acting.close()

    app = create_app(
        title="Kei console",
        version="1",
        database=None,
        cursor_secret=clock.secret(),  # there are no cursors to sign
        verifier=verifier,
        routers=[*(page.router for page in PAGES), static],
        lifespan=lifespan,
        ops=Ops(collectors=[certificates.collect]),
        limits=Limits(body=MAX_BYTES, types=frozenset({FORM})),
    )
    app.state.clients, app.state.operating, app.state.acting = clients, operating, acting
    app.add_exception_handler(SignInFirst, send_to_sign_in)
    app.add_middleware(ProblemPages)
    app.add_middleware(Visitors, verifier=verifier)  # added last, so outermost: the pages of refusals know it too
    return app
