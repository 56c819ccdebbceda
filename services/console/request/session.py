"""The signed-in user: a bearer token in a cookie that browsers send to the console only.

Users paste the token themselves until sign-in by mail exists. The console reads from it who the user is; the services
decide what the user may do, because they get the token with each request made for the user.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from services.console.api.user_client import TokenRejected
from shared.auth import Policy, Principal, Role, Verifier
from shared.errors import Unauthenticated
from shared.web import ProblemError

MAX_TOKEN_LENGTH = 3_800
"""Characters; browsers store no cookie above 4 kB."""
USER = "kei.user"
"""Key of the scope with the SignedInUser, or None."""
_CONSORTIUM = "kei-consortium"
"""The cookie with the consortium that was chosen last; it is no secret."""
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}", re.ASCII)
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A user with a valid token."""

    principal: Principal
    token: str

    @property
    def is_operator(self) -> bool:
        return self.principal.has(Role.operator)

    @property
    def is_coordinator(self) -> bool:
        """Whether the user is a coordinator, or an operator, who may act as one."""
        return self.principal.has(Role.coordinator, Role.operator)

    def speaks_for(self, cluster: UUID, consortium: UUID) -> bool:
        """Whether the user may act for a cluster."""
        return self.principal.speaks_for(cluster, consortium)


class SignInRequired(Exception):
    """Leads to the sign-in page; the text is a reason that the page knows."""


class SessionMiddleware:
    """The outermost layer: puts the signed-in user into the scope, so that every page knows it."""

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._app, self._verifier = app, verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify the token of the cookie. A page that needs a user reports why there is none."""
        if scope["type"] == "http":
            scope[USER] = None
            if token := _token(scope):
                with suppress(Unauthenticated, ConnectionError):
                    scope[USER] = SignedInUser(await self._verifier.verify(token), token)
        await self._app(scope, receive, send)


def signed_in_user(request: Request) -> SignedInUser | None:
    """The signed-in user of a page that everybody may see."""
    user: SignedInUser | None = request.scope[USER]
    return user


class _SignedIn(Policy):
    """Admits signed-in users with one of the roles, if any are given; redirects others to the sign-in page."""

    def __init__(self, audience: str = "", *roles: Role) -> None:
        self._audience, self._roles = audience, roles

    async def __call__(self, request: Request) -> SignedInUser:
        """The user.

        Raises:
            SignInRequired: no user is signed in, or the token has expired.
            ProblemError: 403 for other roles; 503 while the issuer's keys are unavailable.
        """
        user = signed_in_user(request)
        if user is None:
            raise await _reason(request)
        if self._roles and not user.principal.has(*self._roles):
            detail = f"You are signed in as {user.principal.subject}. This page is for {self._audience}."
            raise ProblemError(403, "forbidden", detail)
        return user


Operator = Annotated[SignedInUser, Depends(_SignedIn("operators", Role.operator))]
"""A signed-in operator."""
Coordinator = Annotated[SignedInUser, Depends(_SignedIn("coordinators", Role.coordinator, Role.operator))]
"""A signed-in coordinator of a consortium, or an operator."""
SignedIn = Annotated[SignedInUser, Depends(_SignedIn())]
"""Any signed-in user; the services decide what the user may do."""


async def _reason(request: Request) -> Exception:
    """Why there is no signed-in user."""
    token = _token(request.scope)
    if token is None:
        return SignInRequired("needed")
    try:
        await request.app.state.verifier.verify(token)
    except ConnectionError:
        detail = "Your sign-in cannot be checked just now: the issuer's keys are unavailable."
        return ProblemError(503, "unavailable", detail)
    except Unauthenticated:
        return SignInRequired("ended")
    return SignInRequired("needed")  # the keys became available after the middleware ran


async def redirect_to_sign_in(request: Request, error: Exception) -> Response:
    """The response to SignInRequired and TokenRejected; deletes a cookie that is of no use any more.

    A request without a cookie may have come from another site, so that the browser has one.
    """
    reason = "ended" if isinstance(error, TokenRejected) else str(error)
    query = {"because": reason}
    if request.method == "GET":
        query["next"] = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    to = f"/sign-in?{urlencode(query)}"
    return signed_out(request, to) if reason == "ended" else RedirectResponse(to, 303)


def own_page(address: str) -> str | None:
    """The address if it is a path of this site; None for one of another site, and for one that browsers rewrite."""
    return address if _PATH.fullmatch(address) else None


def signed_out(request: Request, to: str) -> Response:
    """A redirect that deletes the cookie."""
    response = RedirectResponse(to, 303)
    name = cookie_name(request.scope)
    if name is not None:
        response.delete_cookie(name, secure=_is_secure(request.scope), httponly=True, samesite="lax")
    return response


def signed_in(request: Request, name: str, token: str, to: str) -> Response:
    """A redirect that sets the cookie `name` until the browser's session ends.

    Browsers send it also with links of other sites; forms of other sites are refused by `require_same_origin`.
    """
    response = RedirectResponse(to, 303)
    response.set_cookie(name, token, secure=_is_secure(request.scope), httponly=True, samesite="lax")
    return response


def last_consortium(request: Request) -> str | None:
    """The slug of the consortium that was chosen last; it may name none."""
    return request.cookies.get(_CONSORTIUM)


def keep_consortium(request: Request, response: Response, slug: str) -> None:
    """Keep the choice of a consortium until the browser's session ends."""
    response.set_cookie(_CONSORTIUM, slug, secure=_is_secure(request.scope), httponly=True, samesite="lax")


def cookie_name(scope: Scope) -> str | None:
    """The name of the cookie; None where the token would travel unencrypted.

    Behind a gateway the connection to the console is plain HTTP, and X-Forwarded-Proto has the scheme of the browser.
    A client that forges the header gets a cookie that its browser does not store.
    """
    if _is_secure(scope):
        return "__Host-kei"
    return "kei" if _LOOPBACK.fullmatch(Headers(scope=scope).get("host", "")) else None


def _is_secure(scope: Scope) -> bool:
    return scope["scheme"] == "https" or Headers(scope=scope).get("x-forwarded-proto") == "https"


def _token(scope: Scope) -> str | None:
    name = cookie_name(scope)
    if name is None:
        return None
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(name) or None


async def require_same_origin(request: Request) -> None:
    """Refuse a form that another site made the browser send.

    Raises:
        ProblemError: 403.
    """
    headers = request.headers
    own = f"{'https' if _is_secure(request.scope) else 'http'}://{headers.get('host', '')}"
    site = headers.get("sec-fetch-site")
    # Browsers without Sec-Fetch-Site send Origin with every form.
    if site != "same-origin" if site is not None else headers.get("origin") != own:
        raise ProblemError(403, "cross-site", "This form was not sent from a page of Kei, so nothing was done.")
