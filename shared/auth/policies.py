"""Policies: who may call a route. A route without a policy cannot be built.

async def publish(caller: Annotated[Principal, allow(Role.coordinator)], ...) -> ...
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import Request, Security, params
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security import APIKeyHeader
from fastapi.security.base import SecurityBase

from shared.auth.apikeys import KEY_MARK, StoredKey, matching, prefix_of
from shared.auth.principal import Principal, Role
from shared.auth.tokens import unauthenticated
from shared.db import ReadSession
from shared.errors import Forbidden

FindKeys = Callable[[ReadSession, str], Awaitable[Sequence[StoredKey]]]
"""The query of a service for the valid keys with a prefix."""


class Policy:
    """Base of all policies; every route needs one among its dependencies."""

    open_to_all = False


class Public(Policy):
    """Anyone may call; credentials are not checked."""

    open_to_all = True

    async def __call__(self, request: Request) -> None:
        """Admit every caller."""
        request.scope["kei.principal"] = None


class _SignedIn(Policy, SecurityBase):
    """A caller with a valid bearer token and, unless `roles` is None, one of the roles."""

    def __init__(self, roles: frozenset[Role] | None) -> None:
        self.roles = roles
        self.model = HTTPBearerModel(description="A JWT of the issuer (ES256)", bearerFormat="JWT")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Principal:
        """The caller.

        Raises:
            Unauthenticated: no valid credential (401).
            Forbidden: a valid credential without the role (403).
        """
        token = bearer(request)
        if token is None:
            raise unauthenticated()
        return self.admit(request, await request.app.state.verifier.verify(token))

    def admit(self, request: Request, principal: Principal) -> Principal:
        """Check the roles, and record the caller in the request."""
        if self.roles is not None and not principal.has(*self.roles):
            raise Forbidden("forbidden", "Your role does not allow this.")
        request.scope["kei.principal"] = principal
        return principal


_KEY_HEADER = Security(APIKeyHeader(name="X-API-Key", scheme_name="apiKey", auto_error=False))


class _PartnerKey(_SignedIn):
    """A partner with an API key, as a bearer token or as X-API-Key; or a signed-in caller with one of the roles."""

    def __init__(self, find: FindKeys, roles: frozenset[Role]) -> None:
        super().__init__(roles)
        self._find_keys = find

    async def __call__(self, request: Request, _: Annotated[str | None, _KEY_HEADER] = None) -> Principal:
        """The partner, or the caller with a token."""
        token = bearer(request)
        offered = request.headers.getlist("x-api-key")
        if len(offered) + (token is not None) != 1:
            raise unauthenticated()
        if token is not None and not token.startswith(KEY_MARK):
            return self.admit(request, await request.app.state.verifier.verify(token))
        return self.admit(request, await self._partner(request, token or offered[0]))

    async def _partner(self, request: Request, plain: str) -> Principal:
        prefix = prefix_of(plain)
        if prefix is None:
            raise unauthenticated()
        async with request.app.state.database.reading() as db:
            key = matching(plain, list(await self._find_keys(db, prefix)))
        if key is None:
            raise unauthenticated()
        return Principal(f"partner:{key.partner}", frozenset({Role.partner}), partner=key.partner)


def bearer(request: Request) -> str | None:
    """The bearer token of a request, None if there is no Authorization header.

    Raises:
        Unauthenticated: two Authorization headers, or another scheme.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated()
    return token.strip()


def allow(*roles: Role) -> params.Depends:
    """Admit callers with at least one of `roles`."""
    if not roles:
        raise TypeError("allow() needs at least one role; see anyone_signed_in()")
    return params.Depends(_SignedIn(frozenset(roles)))


def anyone_signed_in() -> params.Depends:
    """Admit callers with a valid token, whatever their roles."""
    return params.Depends(_SignedIn(None))


def public() -> params.Depends:
    """Admit every caller: `dependencies=[public()]`."""
    return params.Depends(Public())


def partner_key(find: FindKeys, *roles: Role) -> params.Depends:
    """Admit partners with an API key, and signed-in callers with one of `roles` (the partner role is implied)."""
    return params.Depends(_PartnerKey(find, frozenset({Role.partner, *roles})))
