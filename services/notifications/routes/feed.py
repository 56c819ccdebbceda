"""`/feed`: the public events with their positions, by pull, long poll or stream."""

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

STALLED = 60.0
"""Seconds a reader may take for what it was sent before its stream is cut."""
_POLICY = partner_key(partners.find, Role.operator, Role.service)
_LAST = 2**63 - 1


def _database(request: Request) -> Database:
    """No `Read` here: a reader that waits shall not hold a connection meanwhile."""
    database: Database = request.app.state.database
    return database


Reader = Annotated[Principal, _POLICY]
Source = Annotated[Database, Depends(_database)]
After = Annotated[int, Query(ge=0, le=_LAST, description="the last position you have")]
Types = Annotated[list[str], Query(max_length=100, default_factory=list, description="all you may read if left out")]


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
    """An event with its place in the feed."""

    position: int
    event: CloudEvent


class FeedPage(ResponseModel):
    """A page of the feed. Go on after `next`, whether there are items or not."""

    items: list[FeedItem]
    next: int


class FeedHead(ResponseModel):
    """The newest position."""

    position: int = Field(description="0 before the first event")


class EventStream(StreamingResponse):
    """Server-sent events. A reader that takes nothing for a minute is cut off; it comes back with Last-Event-ID."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, frames: AsyncIterator[bytes], status_code: int = 200) -> None:
        super().__init__(frames, status_code, headers={"X-Accel-Buffering": "no"})
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send with a deadline for each part."""

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(STALLED):
                await send(message)

        with self._hub.place():
            await super().__call__(scope, receive, bounded)


def feed_router(hub: Hub) -> Router:
    """The routes; `hub` tells them what is new."""
    router = Router(prefix="/feed")
    _pull(router, hub)
    _push(router, hub)

    @router.get("/head")
    async def show_head(caller: Reader, db: Read) -> FeedHead:
        """The newest position: where to go on after to hear of what is to come."""
        return FeedHead(position=await feed.head(db))

    return router


def _pull(router: Router, hub: Hub) -> None:
    @router.get("", response_model=FeedPage)
    @long_lived
    async def read_feed(
        request: Request,
        caller: Reader,
        database: Source,
        types: Types,
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait: Annotated[int, Query(ge=0, le=25, description="seconds to wait if there is nothing yet")] = 0,
    ) -> Response:
        """Public events above a position, oldest first."""
        chosen = await _selection(database, caller, types)
        until, position = monotonic() + wait, after
        while True:
            async with database.reading() as db:
                found = await feed.look(db, position, limit, chosen)
            _refuse_future(after, found.head)
            left = until - monotonic()
            if found.entries or left <= 0 or hub.ended:
                return Response(_page(found), media_type="application/json")
            position = found.next
            await hub.moved(position, left)
            await _admitted(request)


def _push(router: Router, hub: Hub) -> None:
    @router.get("/stream", response_class=EventStream)
    @long_lived
    async def stream_feed(
        request: Request,
        caller: Reader,
        database: Source,
        types: Types,
        after: After = 0,
        last: Annotated[str | None, Header(alias="Last-Event-ID", description="the last position you have")] = None,
    ) -> EventStream:
        """Public events above a position as server-sent events, and what is to come as it comes."""
        chosen = await _selection(database, caller, types)
        begin = after if last is None else _position(last)
        async with database.reading() as db:
            _refuse_future(begin, await feed.head(db))
        frames = hub.stream(database, begin, chosen, lambda: _admitted(request))
        return EventStream(hub, frames)


async def _admitted(request: Request) -> None:
    """Check the credential again.

    Raises:
        Unauthenticated: the key was revoked, or the token has run out, since the request began.
    """
    assert _POLICY.dependency is not None  # noqa: S101  partner_key() gives one
    await _POLICY.dependency(request)


async def _selection(database: Database, caller: Principal, asked: Sequence[str]) -> list[str] | None:
    granted: Sequence[str] = ()
    if not caller.has(Role.operator, Role.service):
        async with database.reading() as db:
            granted = await partners.granted(db, caller.partner)
    return subscriptions.select(asked, granted, [entry.name for entry in registry().values() if entry.public])


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_LAST))):
        message = "Last-Event-ID has to be the id of an event of this stream: a position."
        raise ProblemError(400, "malformed-last-event-id", message, errors=[("Last-Event-ID", message)])
    return int(text)


def _refuse_future(position: int, head: int) -> None:
    if position > head:
        message = f"The newest position of the feed is {head}."
        raise ProblemError(400, "position-in-the-future", message, errors=[("after", message)])


def _page(found: feed.Found) -> bytes:
    items = b",".join(b'{"position":%d,"event":%b}' % (one.position, one.event) for one in found.entries)
    return b'{"items":[%b],"next":%d}' % (items, found.next)
