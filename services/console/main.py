"""Composes the application of the console."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, Path, Response

from services.console.api.operator_client import OperatorClient
from services.console.api.public_client import PublicClient
from services.console.api.user_client import RequestRefused, TokenRejected, UserClient
from services.console.jobs.certificate_monitor import Address, CertificateMonitor, parse_addresses
from services.console.pages import (
    cluster,
    compare,
    desk,
    feed,
    home,
    ledger,
    mentorship_actions,
    mentorships,
    next_steps,
    operations,
    pairs,
    plan,
    sign_in,
    trainings,
    what_ifs,
)
from services.console.request.error_pages import ProblemPageMiddleware, respond_to_service_error
from services.console.request.forms import MAX_BYTES
from services.console.request.session import SessionMiddleware, SignInRequired, redirect_to_sign_in
from services.console.settings import ConsoleSettings
from services.console.view import templating
from shared import clock
from shared.api_client import ServiceUnavailable
from shared.auth import Issuer, KeySource, Principal, Role, Verifier, public
from shared.errors import NotFound
from shared.web import Limits, Ops, Router, create_app
from shared.web.limits import FORM

CONSOLE_PRINCIPAL = Principal("console", frozenset({Role.service}))
"""The caller of requests for the public pages."""
TOKEN_LIFETIME = timedelta(minutes=15)
"""Of the tokens that the console signs for these requests."""

PAGES = (
    *(home, cluster, trainings, pairs, mentorships, mentorship_actions, ledger, next_steps, feed),
    *(desk, plan, what_ifs, compare, operations, sign_in),
)

static = Router(dependencies=[public()], include_in_schema=False)


@static.get("/static/{version}/{name}")
async def static_file(version: str, name: Annotated[str, Path(max_length=100)]) -> Response:  # noqa: ARG001  part of the URL only
    """A static file. Its URL changes with its content, so browsers may cache it for ever."""
    asset = templating.assets().get(name)
    if asset is None:
        raise NotFound("no-such-file", "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": asset.media_type}
    return Response(asset.body, headers=headers)


def from_environment(settings: ConsoleSettings) -> FastAPI:
    """The application of a console in its own process.

    Raises:
        OSError: the issuer's key cannot be read.
    """
    issuer = Issuer.load(settings.issuer_key, issuer=settings.issuer, audience=settings.audience)
    verifier = Verifier(issuer=settings.issuer, audience=settings.audience, keys=KeySource.at(settings.jwks_url))
    monitored = parse_addresses(settings.monitored_certificates)
    return build(settings.api_url, console_token(issuer), verifier, monitored)


def console_token(issuer: Issuer) -> Callable[[], str]:
    """Signs a token of the console at each call."""
    return lambda: issuer.token(CONSOLE_PRINCIPAL, TOKEN_LIFETIME)


def build(api_url: str, token: Callable[[], str], verifier: Verifier, monitored: Sequence[Address] = ()) -> FastAPI:
    """The application.

    Args:
        api_url: the services stand below it.
        token: gives a valid bearer token of the role service, with which the public pages read the services.
        verifier: of the users' tokens.
        monitored: addresses whose certificates are monitored.
    """
    public_client = PublicClient(api_url, token)
    operator_client, user_client = OperatorClient(api_url), UserClient(api_url)
    certificates = CertificateMonitor(monitored)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        monitoring = asyncio.create_task(certificates.run())
        try:
            yield
        finally:
            monitoring.cancel()
            await asyncio.wait([monitoring])
            await asyncio.gather(public_client.close(), operator_client.close(), user_client.close())

    app = create_app(
        title="Kei console",
        version="1",
        database=None,
        cursor_secret=clock.secret(),  # not used
        verifier=verifier,
        routers=[*(page.router for page in PAGES), static],
        lifespan=lifespan,
        ops=Ops(collectors=[certificates.collect]),
        limits=Limits(body=MAX_BYTES, types=frozenset({FORM})),
    )
    app.state.public_client, app.state.operator_client = public_client, operator_client
    app.state.user_client = user_client
    _add_handlers(app, verifier)
    return app


def _add_handlers(app: FastAPI, verifier: Verifier) -> None:
    app.add_exception_handler(SignInRequired, redirect_to_sign_in)
    app.add_exception_handler(TokenRejected, redirect_to_sign_in)
    app.add_exception_handler(RequestRefused, respond_to_service_error)
    app.add_exception_handler(ServiceUnavailable, respond_to_service_error)
    app.add_middleware(ProblemPageMiddleware)
    app.add_middleware(SessionMiddleware, verifier=verifier)  # outermost, because problem pages need the user too
