"""The embedded issuer signs tokens with its own key, so that Kei runs without an identity provider."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from shared import clock
from shared.auth.principal import Principal


class Issuer:
    """Signs tokens with one ES256 key.

    Args:
        key: the private P-256 key.
        issuer: the tokens' `iss`.
        audience: the tokens' `aud`.
        now: the clock.
    """

    def __init__(self, key: ECKey, *, issuer: str, audience: str, now: Callable[[], datetime] = clock.now) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._kid = key.thumbprint()

    @classmethod
    def load(cls, path: Path, *, issuer: str, audience: str, now: Callable[[], datetime] = clock.now) -> "Issuer":
        """The issuer with the key in the file `path`, which is created with mode 600 if it does not exist.

        Raises:
            OSError: the file can be neither read nor created.
            PermissionError: other users may read it.
        """
        if not path.exists():
            _create_key_file(path)
        if _is_readable_by_others(path):
            message = f"{path} holds a signing key: only its owner may have rights to it, or to its folder."
            raise PermissionError(message)
        return cls(ECKey.import_key(json.loads(path.read_bytes())), issuer=issuer, audience=audience, now=now)

    def token(self, principal: Principal, lifetime: timedelta = timedelta(hours=1)) -> str:
        """A token for `principal`, valid for `lifetime` from now."""
        now = int(self._now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": principal.subject,
            "roles": sorted(principal.roles),
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
        }
        for name in ("consortium", "cluster", "partner"):
            value = getattr(principal, name)
            if value is not None:
                claims[name] = str(value)
        return jwt.encode({"alg": "ES256", "kid": self._kid}, claims, self._key, algorithms=["ES256"])

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWKS document."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "ES256"}]}


def _is_readable_by_others(path: Path) -> bool:
    """Only for a file of this user: a secret that a container mounts has another owner and mode."""
    key = path.stat()
    return key.st_uid == os.getuid() and bool(key.st_mode & 0o077) and bool(path.parent.stat().st_mode & 0o077)


def _create_key_file(path: Path) -> None:
    """Write a new key to a temporary file and link it, so that two processes that start at once use the same key."""
    data = json.dumps(ECKey.generate_key("P-256").as_dict(private=True)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{clock.secret(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
