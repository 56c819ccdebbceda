"""The public keys that tokens are checked against: given, from a file, or from a URL that is asked now and then."""

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

REFETCH = timedelta(minutes=1)
RETRY = timedelta(seconds=5)
REFRESH = timedelta(hours=1)
FETCH_TIMEOUT = 5.0
MAX_BYTES = 65_536

Fetch = Callable[[], Awaitable[bytes]]


class PublicKey(ECKey):
    """A key of the issuer. Equal keys have one hash, so what was found by a key can be kept by it."""

    def __hash__(self) -> int:
        return hash(self.thumbprint())


class KeySource:
    """ES256 public keys by their `kid`.

    Args:
        fetch: returns a JWKS document as bytes; its OSError or httpx2.HTTPError means "not now".
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
        """Keys given directly."""
        data = json.dumps(jwks).encode()

        async def fetch() -> bytes:
            return data

        return cls(fetch)

    @classmethod
    def at(cls, place: str) -> "KeySource":
        """Keys at an http(s) URL, or in a file at any other kind of place."""
        if place.startswith(("http://", "https://")):
            return cls(lambda: _download(place))
        path = Path(place)
        return cls(lambda: asyncio.to_thread(path.read_bytes))

    async def key(self, kid: str) -> PublicKey | None:
        """The key of that name, or None. An unknown name asks the source again, at most once a minute.

        Raises:
            ConnectionError: there has never been an answer from the source.
        """
        if kid not in self._keys or self._now() - self._fetched > REFRESH:
            async with self._lock:
                if kid not in self._keys or self._now() - self._fetched > REFRESH:
                    await self._refresh()
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        now = self._now()
        if now >= self._not_before:
            try:
                self._keys = _parse(await self._fetch())
            except (OSError, ValueError, JoseError, httpx2.HTTPError):
                self._not_before = now + RETRY
            else:
                self._fetched = now
                self._not_before = now + REFETCH
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
            if len(data) > MAX_BYTES:
                raise ValueError("The key set is too large.")
        return data


def _parse(data: bytes) -> dict[str, PublicKey]:
    """The P-256 signature keys of a JWKS document. Other keys in it are none of our business."""
    document = json.loads(data)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("Not a JWKS document.")  # noqa: TRY004 - one kind of error for all bad documents
    found = {}
    for entry in entries:
        usable = isinstance(entry, dict) and entry.get("kty") == "EC" and entry.get("crv") == "P-256"
        if usable and isinstance(entry.get("kid"), str) and entry.get("use", "sig") == "sig":
            public = {name: entry[name] for name in ("kty", "crv", "x", "y", "kid") if name in entry}
            found[entry["kid"]] = PublicKey.import_key(public)
    return found
