"""Pages by signed cursor: where the last page ended, unreadable to guess and useless at any other address.

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
_MAC = 16
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
    """Signs and reads cursors for one address.

    Args:
        secret: shared by all replicas of a service.
        place: what the cursor is bound to: the path and the filters.
    """

    secret: bytes
    place: str

    def encode(self, key: Key) -> str:
        """The cursor after `key`: str, int, float, bool, None, UUID and datetime."""
        data = json.dumps([_tag(part) for part in key], separators=(",", ":")).encode()
        return urlsafe_b64encode(self._sign(data) + data).rstrip(b"=").decode()

    def decode(self, cursor: str) -> Key:
        """The key of a cursor.

        Raises:
            Invalid: not one of ours, or made for another address.
        """
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        mac, data = raw[:_MAC], raw[_MAC:]
        # A second spelling of the same bytes is refused too: base64 ignores stray characters and spare bits.
        genuine = hmac.compare_digest(mac, self._sign(data)) and urlsafe_b64encode(raw).rstrip(b"=") == cursor.encode()
        if not genuine:
            raise Invalid("invalid-cursor", "This is not the cursor of a page of this list.", field="cursor")
        return tuple(_untag(part) for part in json.loads(data))

    def _sign(self, data: bytes) -> bytes:
        message = self.place.encode() + b"\0" + data
        return hmac.digest(self.secret, message, hashlib.sha256)[:_MAC]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which page was asked for."""

    after: Key | None
    limit: int
    codec: Codec

    def page(self, rows: Sequence[Row], key: Callable[[Row], Key]) -> Page[Row]:
        """The page of `rows`, of which the query fetched one more than `limit` to see whether there are more."""
        items = list(rows[: self.limit])
        more = len(rows) > self.limit
        return Page[Any](items=items, next=self.codec.encode(key(items[-1])) if more else None)


def _paging(
    request: Request,
    cursor: Annotated[
        str | None,
        Query(max_length=1000, description="`next` of the page before", json_schema_extra={"format": "cursor"}),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows of a page")] = DEFAULT_LIMIT,
) -> Cursor:
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _OWN)
    place = json.dumps([request.url.path, filters])
    codec = Codec(request.app.state.cursor_secret, place)
    return Cursor(codec.decode(cursor) if cursor is not None else None, limit, codec)


_OWN = {"cursor", "limit"}

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
