"""Who looks at the pages: nobody in particular, or a person with a token in a cookie, which the browser gives only us.

People bring the token themselves as long as there is no sign-in by mail. The console reads of it who somebody is; what
they may do the services decide, which get it with every question that is asked for them.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.auth import Policy, Principal, Role, Verifier
from shared.errors import Unauthenticated
from shared.web import ProblemError

MAX_TOKEN = 3_800
"""Characters: browsers keep no cookie above 4 kB."""
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in."""

    principal: Principal
    token: str

    @property
    def operates(self) -> bool:
        """Whether they are an operator."""
        return self.principal.has(Role.operator)

    @property
    def plans(self) -> bool:
        """Whether they are a coordinator, or may act as one."""
        return self.principal.has(Role.coordinator, Role.operator)

    def speaks_for(self, cluster: UUID, consortium: UUID) -> bool:
        """Whether they may act for a cluster."""
        return self.principal.speaks_for(cluster, consortium)


class SignInFirst(Exception):
    """The way to the sign-in page; the text is one of its reasons."""


class Visitors:
    """The outermost layer: notes who asks, so that every page knows whether somebody is signed in."""

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._app, self._verifier = app, verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the cookie. What cannot be said now, a page that needs it will find out."""
        if scope["type"] == "http":
            scope["kei.visitor"] = None
            if token := _token(scope):
                with suppress(Unauthenticated, ConnectionError):
                    scope["kei.visitor"] = Visitor(await self._verifier.verify(token), token)
        await self._app(scope, receive, send)


class _SignedIn(Policy):
    """Lets people in who have one of some roles, if any are given; sends those who are not signed in to do so."""

    def __init__(self, whom: str = "", *roles: Role) -> None:
        self._whom, self._roles = whom, roles

    async def __call__(self, request: Request) -> Visitor:
        """The person.

        Raises:
            SignInFirst: nobody is signed in, or not any longer.
            Refusal: 403 for others; 503 while the issuer's keys cannot be had.
        """
        visitor: Visitor | None = request.scope["kei.visitor"]
        if visitor is None:
            raise await _why_not(request)
        if self._roles and not visitor.principal.has(*self._roles):
            detail = f"This page is for {self._whom}. You are signed in as {visitor.principal.subject}, who is none."
            raise ProblemError(403, "forbidden", detail)
        return visitor


Operator = Annotated[Visitor, Depends(_SignedIn("operators", Role.operator))]
"""The operator who asks."""
Coordinator = Annotated[Visitor, Depends(_SignedIn("coordinators", Role.coordinator, Role.operator))]
"""The coordinator of a consortium who asks, or an operator."""
Person = Annotated[Visitor, Depends(_SignedIn())]
"""Whoever asks and is signed in; what they may do the services decide."""


async def _why_not(request: Request) -> Exception:
    token = _token(request.scope)
    if token is None:
        return SignInFirst("needed")
    try:
        await request.app.state.verifier.verify(token)
    except ConnectionError:
        return ProblemError(
            503, "unavailable", "Who you are cannot be checked just now: the issuer's keys are not reached."
        )
    except Unauthenticated:
        return SignInFirst("ended")
    return SignInFirst("needed")  # the keys have come this moment


async def send_to_sign_in(request: Request, error: Exception) -> Response:
    """The answer to `SignInFirst`; a cookie that is of no use any more goes."""
    return signed_out(request, f"/sign-in?because={error}")


def signed_out(request: Request, to: str) -> Response:
    """Go on to a page, without the cookie."""
    response = RedirectResponse(to, 303)
    name = cookie(request.scope)
    if name is not None:
        response.delete_cookie(name, secure=_secure(request.scope), httponly=True, samesite="strict")
    return response


def signed_in(request: Request, name: str, token: str, to: str) -> Response:
    """Go on to a page, with the cookie `name`. It ends with the browser's session, or earlier with the token."""
    response = RedirectResponse(to, 303)
    response.set_cookie(name, token, secure=_secure(request.scope), httponly=True, samesite="strict")
    return response


def cookie(scope: Scope) -> str | None:
    """The cookie's name; None where a token would travel in the clear and so may not be given.

    Behind a gateway the connection to us is plain: it says in X-Forwarded-Proto how the browser came. Who says so
    without one gets a cookie that their browser does not keep.
    """
    if _secure(scope):
        return "__Host-kei"
    return "kei" if _LOOPBACK.fullmatch(Headers(scope=scope).get("host", "")) else None


def _secure(scope: Scope) -> bool:
    return scope["scheme"] == "https" or Headers(scope=scope).get("x-forwarded-proto") == "https"


def _token(scope: Scope) -> str | None:
    name = cookie(scope)
    if name is None:
        return None
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(name) or None


async def from_here(request: Request) -> None:
    """Refuse a form that another site had a browser send.

    Raises:
        Refusal: 403.
    """
    headers = request.headers
    own = f"{'https' if _secure(request.scope) else 'http'}://{headers.get('host', '')}"
    site = headers.get("sec-fetch-site")
    # Browsers that do not say Sec-Fetch-Site say Origin with every form.
    if site != "same-origin" if site is not None else headers.get("origin") != own:
        raise ProblemError(403, "cross-site", "This form was not sent from a page of Kei, so nothing was done.")
