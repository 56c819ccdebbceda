"""The public keys of the issuer: given directly, from a file, or from a URL (JWKS) with a cache."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from shared import clock

MIN_REFETCH_INTERVAL = timedelta(minutes=1)
RETRY_INTERVAL = timedelta(seconds=5)
REFRESH_INTERVAL = timedelta(hours=1)
FETCH_TIMEOUT = 5.0
MAX_DOCUMENT_BYTES = 65_536

Fetch = Callable[[], Awaitable[bytes]]


class PublicKey(ECKey):
    """A key of the issuer. Equal keys have equal hashes, so a key can be the key of a cache."""

    def __hash__(self) -> int:
        return hash(self.thumbprint())


class KeySource:
    """ES256 public keys by their `kid`.

    Args:
        fetch: returns a JWKS document as bytes; OSError or httpx2.HTTPError if it is not available.
        now: the clock.
    """

    def __init__(self, fetch: Fetch, *, now: Callable[[], datetime] = clock.now) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: dict[str, PublicKey] = {}
        self._fetched = datetime.min.replace(tzinfo=UTC)
        self._not_before = self._fetched
        self._lock = asyncio.Lock()

    @classmethod
    def of(cls, jwks: dict[str, Any]) -> "KeySource":
        """Fixed keys."""
        data = json.dumps(jwks).encode()

        async def fetch() -> bytes:
            return data

        return cls(fetch)

    @classmethod
    def at(cls, location: str) -> "KeySource":
        """Keys at an http(s) URL, or in a file."""
        if location.startswith(("http://", "https://")):
            return cls(lambda: _download(location))
        path = Path(location)
        return cls(lambda: asyncio.to_thread(path.read_bytes))

    async def key(self, kid: str) -> PublicKey | None:
        """The key with this id, or None. An unknown id causes a fetch, at most once a minute.

        Raises:
            ConnectionError: the source has never responded.
        """
        if kid not in self._keys or self._now() - self._fetched > REFRESH_INTERVAL:
            async with self._lock:
                if kid not in self._keys or self._now() - self._fetched > REFRESH_INTERVAL:
                    await self._refresh()
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        now = self._now()
        if now >= self._not_before:
            try:
                self._keys = _parse(await self._fetch())
            except (OSError, ValueError, JoseError, httpx2.HTTPError):
                self._not_before = now + RETRY_INTERVAL
            else:
                self._fetched = now
                self._not_before = now + MIN_REFETCH_INTERVAL
        if self._fetched.year == 1:
            raise ConnectionError("The issuer's keys cannot be read.")


async def _download(url: str) -> bytes:
    async with (
        httpx2.AsyncClient(timeout=FETCH_TIMEOUT, follow_redirects=False, trust_env=False) as client,
        asyncio.timeout(FETCH_TIMEOUT),
        client.stream("GET", url) as response,
    ):
        response.raise_for_status()
        data = b""
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > MAX_DOCUMENT_BYTES:
                raise ValueError("The key set is too large.")
        return data


def _parse(data: bytes) -> dict[str, PublicKey]:
    """The P-256 signature keys of a JWKS document; other keys are ignored."""
    document = json.loads(data)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("Not a JWKS document.")  # noqa: TRY004 - one kind of error for all bad documents
    keys = {}
    for entry in entries:
        usable = isinstance(entry, dict) and entry.get("kty") == "EC" and entry.get("crv") == "P-256"
        if usable and isinstance(entry.get("kid"), str) and entry.get("use", "sig") == "sig":
            public = {name: entry[name] for name in ("kty", "crv", "x", "y", "kid") if name in entry}
            keys[entry["kid"]] = PublicKey.import_key(public)
    return keys
