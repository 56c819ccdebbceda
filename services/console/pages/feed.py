"""`/feed`: the partner feed for people, newest first, and as it happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from fastapi import Header, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from services.console.api.models import Activity, FeedItem
from services.console.api.public_client import Away, Clients
from services.console.request.page_context import Visit, enter, show
from services.console.view import templating
from services.console.view.event_text import Happening, Names, happening
from shared.auth import public
from shared.web import DRAIN, Drain, Router, long_lived

PAGE = 25
HEARTBEAT = 15.0
"""Seconds without an event after which a line is sent, to find out whether the browser is there still."""
MAX_POSITION = 2**53 - 1

router = Router(dependencies=[public()], include_in_schema=False)
Position = Annotated[int, Query(ge=0, le=MAX_POSITION)]


class Turning(NamedTuple):
    """Where the pages before and after this one begin; None at an end."""

    newer: int | None
    older: int | None


def names(visit: Visit, activities: Sequence[Activity]) -> Names:
    """What the events' things are called."""
    titles = {one.id: one.title for one in activities}
    return Names(visit.name, visit.skill, lambda id: titles.get(id, "an activity"))


async def newest(visit: Visit, limit: int, before: int | None = None) -> tuple[list[FeedItem], int]:
    """The newest events below a position, newest first, and the newest position of all."""
    last = await visit.ask(visit.clients.feed_end(), 0)
    top = last if before is None else min(before - 1, last)
    items = await visit.ask(visit.clients.feed(max(0, top - limit), limit), []) if top > 0 else []
    return sorted((one for one in items if one.position <= top), key=lambda one: -one.position), last


@router.get("/feed")
async def feed(
    request: Request,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
) -> HTMLResponse:
    """A page of the feed: the newest events, or those below a position."""

    async def build(visit: Visit) -> dict[str, Any]:
        (items, last), activities = await asyncio.gather(
            newest(visit, PAGE, before), visit.ask(visit.clients.activities(), [])
        )
        named = names(visit, activities)
        rows = [happening(item, named) for item in items]
        return {"rows": rows, "last": last, "live": before is None, "turning": _turning(rows, last)}

    return await show(request, "feed.html", consortium, build)


def _turning(rows: Sequence[Happening], last: int) -> Turning:
    if not rows:
        return Turning(None, None)
    first, final = rows[0].position, rows[-1].position
    return Turning(first + PAGE + 1 if first < last else None, final if final > 1 else None)


@router.get("/feed/stream")
@long_lived
async def stream(
    request: Request,
    after: Position = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Each new event as a row of the page, until the browser or this process leaves."""
    position = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    rows = live_rows(request.app.state.clients, min(position, MAX_POSITION), DRAIN)
    return StreamingResponse(rows, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def live_rows(clients: Clients, after: int, drain: Drain) -> AsyncIterator[str]:
    """Server-sent events: a row for each event above a position, until the drain begins or the service is away."""
    yield "retry: 3000\n\n"
    items = clients.feed_stream(after)
    namer = _Namer(clients)
    drained = asyncio.ensure_future(drain.wait())
    coming = asyncio.ensure_future(anext(items))
    try:
        while True:
            await asyncio.wait({coming, drained}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if drained.done():
                return
            if not coming.done():
                yield ": still here\n\n"
                continue
            yield await namer.row(coming.result())
            coming = asyncio.ensure_future(anext(items))
    except (Away, StopAsyncIteration):
        return  # the browser comes again, with the last position it has
    finally:
        for task in (coming, drained):
            task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Away):
                await task


class _Namer:
    """Turns events into rows. Names are asked for again when an event may have brought new ones."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._names: Names | None = None

    async def row(self, item: FeedItem) -> str:
        """The row as a server-sent event."""
        kind = str(item.event.get("type", ""))
        if self._names is None or ".cluster." in kind or ".training." in kind:
            visit = await enter(self._clients, "/feed", None)
            self._names = names(visit, await visit.ask(self._clients.activities(), []))
        row = templating.fragment("_feed_row.html", {"row": happening(item, self._names)})
        data = "\n".join(f"data: {line}" for line in row.splitlines())
        return f"id: {item.position}\n{data}\n\n"
