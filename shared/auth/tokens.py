"""Verifies bearer tokens: ES256 only, known key, issuer, audience and time. All errors have the same message."""

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

MAX_TOKEN_LENGTH = 8_192
LEEWAY_SECONDS = 30
_MAX_NAME_LENGTH = 255
_FORBIDDEN_HEADERS = {"jku", "jwk", "x5u", "x5c", "crit", "b64"}
_TYPES = {"JWT", "at+jwt"}
_ROLES = {role.value: role for role in Role}


def unauthenticated() -> Unauthenticated:
    """The error of every invalid credential, always the same, so that it does not help an attacker."""
    return Unauthenticated("unauthenticated", "Sign in first: no valid credential came with the request.")


class Verifier:
    """Verifies tokens and returns their `Principal`.

    Args:
        issuer: the only accepted `iss`.
        audience: has to be in `aud`.
        keys: the public keys of the issuer.
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
            Unauthenticated: the token is not valid.
            ConnectionError: the keys are not available, so the token cannot be verified.
        """
        key = await self._keys.key(_kid(token))
        if key is None:
            raise unauthenticated()
        try:
            claims = _signed(token, key)
        except (JoseError, ValueError, TypeError) as error:
            raise unauthenticated() from error
        self._check(claims)
        return _principal(claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()
        audience = claims.get("aud")
        known = audience == self._audience or (isinstance(audience, list) and self._audience in audience)
        expires, starts = _time(claims, "exp"), _time(claims, "nbf")
        issued = _time(claims, "iat")
        if claims.get("iss") != self._issuer or not known or expires is None or now >= expires + LEEWAY_SECONDS:
            raise unauthenticated()
        if any(moment is not None and now < moment - LEEWAY_SECONDS for moment in (starts, issued)):
            raise unauthenticated()


@lru_cache(maxsize=1024)
def _signed(token: str, key: PublicKey) -> Mapping[str, Any]:
    """The claims of a token with a valid signature. Cached, since callers send a token many times; checks no claim."""
    return MappingProxyType(jwt.decode(token, key, algorithms=["ES256"]).claims)


def _time(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if name in claims and type(value) is not int:
        raise unauthenticated()
    return value


def _kid(token: str) -> str:
    """The key id of a token, after strict checks of its header."""
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - header.claims.signature
        raise unauthenticated()
    head = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (NotBase64, ValueError, RecursionError) as error:
        raise unauthenticated() from error
    if not isinstance(header, dict) or header.get("alg") != "ES256" or not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise unauthenticated()
    kid, kind = header.get("kid"), header.get("typ")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_NAME_LENGTH:
        raise unauthenticated()
    if kind is not None and (not isinstance(kind, str) or kind not in _TYPES):
        raise unauthenticated()
    return kid


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject, roles = claims.get("sub"), claims.get("roles")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_NAME_LENGTH or "\0" in subject:
        raise unauthenticated()
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise unauthenticated()
    # An unknown role of a newer version gives no rights, and is no error.
    known = frozenset(_ROLES[role] for role in roles if role in _ROLES)
    return Principal(subject, known, _id(claims, "consortium"), _id(claims, "cluster"), _id(claims, "partner"))


def _id(claims: Mapping[str, Any], name: str) -> UUID | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise unauthenticated() from error
