"""`/feed`: the public events with their positions, by polling, long polling or as a stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.types import Message, Receive, Scope, Send

from services.notifications.push.sse import Hub
from services.notifications.queries import feed, partners
from services.notifications.rules import subscriptions
from shared.auth import Principal, Role, partner_key
from shared.db import Database
from shared.events import registry
from shared.web import ProblemError, Read, ResponseModel, Router, long_lived

WRITE_TIMEOUT_SECONDS = 60.0
"""A stream ends if its reader does not take a chunk within this time."""
_POLICY = partner_key(partners.valid_keys, Role.operator, Role.service)
_MAX_POSITION = 2**63 - 1


def _database(request: Request) -> Database:
    """Instead of `Read`, so that a waiting reader holds no connection."""
    database: Database = request.app.state.database
    return database


Reader = Annotated[Principal, _POLICY]
FeedDatabase = Annotated[Database, Depends(_database)]
After = Annotated[int, Query(ge=0, le=_MAX_POSITION, description="the last position you have")]
Types = Annotated[list[str], Query(max_length=100, default_factory=list, description="default: all that you may read")]


class CloudEvent(ResponseModel):
    """An event in CloudEvents 1.0 structured mode."""

    specversion: str
    id: UUID
    type: str
    source: str
    subject: str
    time: str
    dataschema: str
    partitionkey: str
    sequence: str
    datacontenttype: str
    traceparent: str | None = None
    data: dict[str, Any]


class FeedItem(ResponseModel):
    """An event with its position in the feed."""

    position: int
    event: CloudEvent


class FeedPage(ResponseModel):
    """A page of the feed. Continue after `next`, also if there are no items."""

    items: list[FeedItem]
    next: int


class FeedHead(ResponseModel):
    """The newest position."""

    position: int = Field(description="0 before the first event")


class EventStream(StreamingResponse):
    """Server-sent events. The stream ends if the reader takes nothing for `WRITE_TIMEOUT_SECONDS`."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, frames: AsyncIterator[bytes], status_code: int = 200) -> None:
        super().__init__(frames, status_code, headers={"X-Accel-Buffering": "no"})
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames, with a deadline for each chunk."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
                await send(message)

        with self._hub.reader_slot():
            await super().__call__(scope, receive, send_in_time)


def feed_router(hub: Hub) -> Router:
    """The routes; `hub` wakes waiting readers."""
    router = Router(prefix="/feed")
    _add_polling(router, hub)
    _add_stream(router, hub)

    @router.get("/head")
    async def show_head(caller: Reader, db: Read) -> FeedHead:
        """The newest position; read after it to get only future events."""
        return FeedHead(position=await feed.head(db))

    return router


def _add_polling(router: Router, hub: Hub) -> None:
    @router.get("", response_model=FeedPage)
    @long_lived
    async def read_feed(
        request: Request,
        caller: Reader,
        database: FeedDatabase,
        types: Types,
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait: Annotated[int, Query(ge=0, le=25, description="seconds to wait if there is nothing yet")] = 0,
    ) -> Response:
        """Public events above a position, oldest first."""
        selected = await _selected_types(database, caller, types)
        until, position = monotonic() + wait, after
        while True:
            async with database.reading() as db:
                page = await feed.read_page(db, position, limit, selected)
            _refuse_future(after, page.head)
            left = until - monotonic()
            if page.entries or left <= 0 or hub.closed:
                return Response(_encode(page), media_type="application/json")
            position = page.next
            await hub.wait_for_news(position, left)
            await _authorize(request)


def _add_stream(router: Router, hub: Hub) -> None:
    @router.get("/stream", response_class=EventStream)
    @long_lived
    async def stream_feed(
        request: Request,
        caller: Reader,
        database: FeedDatabase,
        types: Types,
        after: After = 0,
        last_event_id: Annotated[
            str | None, Header(alias="Last-Event-ID", description="the last position you have")
        ] = None,
    ) -> EventStream:
        """Public events above a position as server-sent events; new events follow as they are published."""
        selected = await _selected_types(database, caller, types)
        begin = after if last_event_id is None else _parse_position(last_event_id)
        async with database.reading() as db:
            _refuse_future(begin, await feed.head(db))
        frames = hub.stream(database, begin, selected, lambda: _authorize(request))
        return EventStream(hub, frames)


async def _authorize(request: Request) -> None:
    """Check the credential again.

    Raises:
        Unauthenticated: the key was revoked, or the token has expired, since the request began.
    """
    assert _POLICY.dependency is not None  # noqa: S101  partner_key() gives one
    await _POLICY.dependency(request)


async def _selected_types(database: Database, caller: Principal, requested: Sequence[str]) -> list[str] | None:
    granted: Sequence[str] = ()
    if not caller.has(Role.operator, Role.service):
        async with database.reading() as db:
            granted = await partners.granted_types(db, caller.partner)
    return subscriptions.select_types(requested, granted, [entry.name for entry in registry().values() if entry.public])


def _parse_position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_MAX_POSITION))):
        message = "Last-Event-ID has to be the id of an event of this stream: a position."
        raise ProblemError(400, "malformed-last-event-id", message, errors=[("Last-Event-ID", message)])
    return int(text)


def _refuse_future(position: int, head: int) -> None:
    if position > head:
        message = f"The newest position of the feed is {head}."
        raise ProblemError(400, "position-in-the-future", message, errors=[("after", message)])


def _encode(page: feed.FeedSlice) -> bytes:
    items = b",".join(b'{"position":%d,"event":%b}' % (entry.position, entry.event) for entry in page.entries)
    return b'{"items":[%b],"next":%d}' % (items, page.next)
