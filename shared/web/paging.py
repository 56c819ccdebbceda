"""Keyset pagination with signed cursors, each bound to one path and its filters.

rows = await queries.clusters(db, after=paging.after, limit=paging.limit + 1)
return paging.page(rows, lambda row: (row.name, row.id))
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request

from shared.errors import Invalid
from shared.schemas import ResponseModel

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
_MAC_BYTES = 16
_TAGS: dict[str, Callable[[str], Any]] = {"id": UUID, "at": datetime.fromisoformat}

Item = TypeVar("Item")
Row = TypeVar("Row")
Key = tuple[Any, ...]


class Page(ResponseModel, Generic[Item]):
    """One page. `next` is the cursor of the following one, null on the last."""

    items: list[Item]
    next: str | None


@dataclass(frozen=True, slots=True)
class Codec:
    """Signs and reads cursors.

    Args:
        secret: shared by all replicas of a service.
        binding: path and filters, to which the cursor is bound.
    """

    secret: bytes
    binding: str

    def encode(self, key: Key) -> str:
        """The cursor after `key`, whose parts are str, int, float, bool, None, UUID or datetime."""
        data = json.dumps([_tag(part) for part in key], separators=(",", ":")).encode()
        return urlsafe_b64encode(self._sign(data) + data).rstrip(b"=").decode()

    def decode(self, cursor: str) -> Key:
        """The key of a cursor.

        Raises:
            Invalid: a forged cursor, or one of another path or filter.
        """
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        mac, data = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        # Refuses other encodings of the same bytes too: base64 ignores stray characters and spare bits.
        is_genuine = (
            hmac.compare_digest(mac, self._sign(data)) and urlsafe_b64encode(raw).rstrip(b"=") == cursor.encode()
        )
        if not is_genuine:
            raise Invalid("invalid-cursor", "This is not the cursor of a page of this list.", field="cursor")
        return tuple(_untag(part) for part in json.loads(data))

    def _sign(self, data: bytes) -> bytes:
        message = self.binding.encode() + b"\0" + data
        return hmac.digest(self.secret, message, hashlib.sha256)[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The requested page."""

    after: Key | None
    limit: int
    codec: Codec

    def page(self, rows: Sequence[Row], key: Callable[[Row], Key]) -> Page[Row]:
        """The page of `rows`; the query fetched `limit + 1` rows to know whether another page follows."""
        items = list(rows[: self.limit])
        has_more = len(rows) > self.limit
        return Page[Any](items=items, next=self.codec.encode(key(items[-1])) if has_more else None)


def _paging(
    request: Request,
    cursor: Annotated[
        str | None,
        Query(max_length=1000, description="`next` of the page before", json_schema_extra={"format": "cursor"}),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows of a page")] = DEFAULT_LIMIT,
) -> Cursor:
    filters = sorted(
        (name, value) for name, value in request.query_params.multi_items() if name not in _PAGE_PARAMETERS
    )
    binding = json.dumps([request.url.path, filters])
    codec = Codec(request.app.state.cursor_secret, binding)
    return Cursor(codec.decode(cursor) if cursor is not None else None, limit, codec)


_PAGE_PARAMETERS = {"cursor", "limit"}

Paging = Annotated[Cursor, Depends(_paging)]
"""`?cursor=…&limit=1..100`; a forged cursor or a limit out of range gives 422."""


def _tag(part: object) -> object:
    if isinstance(part, UUID):
        return {"id": str(part)}
    return {"at": part.isoformat()} if isinstance(part, datetime) else part


def _untag(part: object) -> object:
    if isinstance(part, dict):
        ((tag, text),) = part.items()
        return _TAGS[tag](text)
    return part
