"""The only source of time, ids and randomness. All other code takes them as values, so that tests can choose them."""

import random
import secrets
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

_random = random.SystemRandom()


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7: unique, and ordered by its millisecond."""
    return uuid7()


def jitter(seconds: float) -> float:
    """A random duration in [0.5, 1.5) times `seconds`, so that retries of many workers do not coincide."""
    return seconds * (0.5 + _random.random())


def secret(size: int = 32) -> str:
    """`size` random bytes as URL-safe text."""
    return secrets.token_urlsafe(size)
