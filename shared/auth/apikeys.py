"""API keys of partners: `kei_<prefix>_<secret>`. The prefix identifies the row; only a hash of the key is stored.

The secret has 256 random bits, so SHA-256 cannot be reversed by guessing, and a slow hash is not needed.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from shared import clock

KEY_MARK = "kei_"
_SHAPE = re.compile(r"kei_([A-Za-z0-9]{8,16})_([A-Za-z0-9_-]{40,64})", re.ASCII)
_PREFIX_BYTES = 9


class ApiKey(NamedTuple):
    """A new key. `plain` is shown to the partner once; `prefix` and `hash` are stored."""

    plain: str
    prefix: str
    hash: bytes

    @classmethod
    def new(cls) -> "ApiKey":
        """A fresh random key."""
        prefix = clock.secret(_PREFIX_BYTES).replace("-", "x").replace("_", "y")
        plain = f"{KEY_MARK}{prefix}_{clock.secret()}"
        return cls(plain, prefix, digest(plain))


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A valid key as it is stored."""

    hash: bytes
    partner: UUID


def digest(plain: str) -> bytes:
    """The stored hash of a key, 32 bytes."""
    return hashlib.sha256(plain.encode()).digest()


def prefix_of(plain: str) -> str | None:
    """The prefix of a well-formed key, else None."""
    match = _SHAPE.fullmatch(plain)
    return match[1] if match else None


def matching(plain: str, stored: list[StoredKey]) -> StoredKey | None:
    """The stored key that equals `plain`; compares all keys in constant time."""
    offered_hash = digest(plain)
    match_ = None
    for key in stored:
        if hmac.compare_digest(offered_hash, key.hash):
            match_ = key
    return match_
