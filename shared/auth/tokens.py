"""Checks bearer tokens: ES256 only, known key, right issuer and audience, in time. Every fault gives one message."""

import json
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError

from shared import clock
from shared.auth.keys import KeySource, PublicKey
from shared.auth.principal import Principal, Role
from shared.errors import Unauthenticated

MAX_TOKEN = 8_192
LEEWAY = 30
_MAX_NAME = 255
_REFUSED_HEADERS = {"jku", "jwk", "x5u", "x5c", "crit", "b64"}
_TYPES = {"JWT", "at+jwt"}
_ROLES = {role.value: role for role in Role}


def refused() -> Unauthenticated:
    """The one answer to every bad credential, so that it teaches an attacker nothing."""
    return Unauthenticated("unauthenticated", "Sign in first: no valid credential came with the request.")


class Verifier:
    """Turns a token into the `Principal` it was made for.

    Args:
        issuer: the only accepted `iss`.
        audience: has to be the `aud`, or one of them.
        keys: where the issuer's public keys are.
        now: the clock.
    """

    def __init__(self, *, issuer: str, audience: str, keys: KeySource, now: Callable[[], datetime] = clock.now) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now

    async def verify(self, token: str) -> Principal:
        """The principal of a valid token.

        Raises:
            Unauthenticated: for any fault of the token.
            ConnectionError: the keys cannot be had at all, so nothing can be said about the token.
        """
        key = await self._keys.key(_kid(token))
        if key is None:
            raise refused()
        try:
            claims = _signed(token, key)
        except (JoseError, ValueError, TypeError) as error:
            raise refused() from error
        self._check(claims)
        return _principal(claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()
        audience = claims.get("aud")
        known = audience == self._audience or (isinstance(audience, list) and self._audience in audience)
        expires, starts = _time(claims, "exp"), _time(claims, "nbf")
        issued = _time(claims, "iat")
        if claims.get("iss") != self._issuer or not known or expires is None or now >= expires + LEEWAY:
            raise refused()
        if any(moment is not None and now < moment - LEEWAY for moment in (starts, issued)):
            raise refused()


@lru_cache(maxsize=1024)
def _signed(token: str, key: PublicKey) -> Mapping[str, Any]:
    """The claims that a key has signed; that stays so, and callers send a token many times. Nothing else is checked."""
    return MappingProxyType(jwt.decode(token, key, algorithms=["ES256"]).claims)


def _time(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if name in claims and type(value) is not int:
        raise refused()
    return value


def _kid(token: str) -> str:
    """The key's name from a token's header, after everything suspicious in that header has been refused."""
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - header.claims.signature
        raise refused()
    head = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (NotBase64, ValueError, RecursionError) as error:
        raise refused() from error
    if not isinstance(header, dict) or header.get("alg") != "ES256" or not _REFUSED_HEADERS.isdisjoint(header):
        raise refused()
    kid, kind = header.get("kid"), header.get("typ")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_NAME:
        raise refused()
    if kind is not None and (not isinstance(kind, str) or kind not in _TYPES):
        raise refused()
    return kid


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject, roles = claims.get("sub"), claims.get("roles")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_NAME or "\0" in subject:
        raise refused()
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise refused()
    # A role of a newer version of the platform gives no rights here, and takes none away.
    known = frozenset(_ROLES[role] for role in roles if role in _ROLES)
    return Principal(subject, known, _id(claims, "consortium"), _id(claims, "cluster"), _id(claims, "partner"))


def _id(claims: Mapping[str, Any], name: str) -> UUID | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise refused() from error
