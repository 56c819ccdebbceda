"""`/feed`: the partner feed as text, newest first, with live updates."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from fastapi import Header, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from services.console.api.models.notifications import FeedEvent
from services.console.api.models.trainings import Activity
from services.console.api.public_client import PublicClient
from services.console.request.page_context import PageContext, load_context, render_page
from services.console.request.private_fields import may_read_event
from services.console.request.session import SignedInUser, signed_in_user
from services.console.view import templating
from services.console.view.event_text import FeedRow, NameLookup, feed_row
from shared.api_client import ServiceUnavailable
from shared.auth import public
from shared.web import DRAIN, Drain, Router, long_lived

PAGE_SIZE = 25
HEARTBEAT_SECONDS = 15.0
"""Without an event, after which a comment is sent to detect a closed connection."""
MAX_POSITION = 2**53 - 1

router = Router(dependencies=[public()], include_in_schema=False)
Position = Annotated[int, Query(ge=0, le=MAX_POSITION)]


class FeedPagination(NamedTuple):
    """The positions before which the neighbouring pages start; None at an end."""

    newer: int | None
    older: int | None


def name_lookup(context: PageContext, activities: Sequence[Activity]) -> NameLookup:
    titles = {activity.id: activity.title for activity in activities}
    return NameLookup(context.cluster_name, context.indicator_title, lambda id: titles.get(id, "an activity"))


async def newest_events(context: PageContext, limit: int, before: int | None = None) -> tuple[list[FeedEvent], int]:
    """The newest events below a position, newest first, and the newest position of the feed."""
    last = await context.or_default(context.api.notifications.feed_head(), 0)
    top = last if before is None else min(before - 1, last)
    if top <= 0:
        return [], last
    events = await context.or_default(context.api.notifications.feed(max(0, top - limit), limit), [])
    return sorted((event for event in events if event.position <= top), key=lambda event: -event.position), last


@router.get("/feed")
async def feed(
    request: Request,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_POSITION)] = None,
) -> HTMLResponse:
    """The newest events, or those below a position."""

    async def build(context: PageContext) -> dict[str, Any]:
        (events, last), activities = await asyncio.gather(
            newest_events(context, PAGE_SIZE, before), context.or_default(context.api.trainings.activities(), [])
        )
        names = name_lookup(context, activities)
        user = signed_in_user(request)
        rows = [feed_row(event, names, with_payload=may_read_event(user, event.event)) for event in events]
        return {"rows": rows, "last": last, "live": before is None, "pagination": _pagination(rows, last)}

    return await render_page(request, "feed.html", consortium, build)


def _pagination(rows: Sequence[FeedRow], last: int) -> FeedPagination:
    if not rows:
        return FeedPagination(None, None)
    first, final = rows[0].position, rows[-1].position
    return FeedPagination(first + PAGE_SIZE + 1 if first < last else None, final if final > 1 else None)


@router.get("/feed/stream")
@long_lived
async def stream(
    request: Request,
    after: Position = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events with a row of the page for each new event."""
    position = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    user = signed_in_user(request)
    rows = live_rows(request.app.state.public_client, min(position, MAX_POSITION), DRAIN, user)
    return StreamingResponse(rows, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def live_rows(
    api: PublicClient, after: int, drain: Drain, user: SignedInUser | None = None
) -> AsyncIterator[str]:
    """A server-sent event for each event above a position, until the drain or until the service is unavailable."""
    yield "retry: 3000\n\n"
    events = api.notifications.feed_stream(after)
    renderer = _RowRenderer(api, user)
    drained = asyncio.ensure_future(drain.wait())
    next_event = asyncio.ensure_future(anext(events))
    try:
        while True:
            await asyncio.wait({next_event, drained}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if drained.done():
                return
            if not next_event.done():
                yield ": heartbeat\n\n"
                continue
            yield await renderer.render(next_event.result())
            next_event = asyncio.ensure_future(anext(events))
    except (ServiceUnavailable, StopAsyncIteration):
        return  # the browser reconnects with its last position
    finally:
        for task in (next_event, drained):
            task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, ServiceUnavailable):
                await task


class _RowRenderer:
    """Renders events as rows. Reloads the names after events that may have added some."""

    def __init__(self, api: PublicClient, user: SignedInUser | None) -> None:
        self._api, self._user = api, user
        self._names: NameLookup | None = None

    async def render(self, event: FeedEvent) -> str:
        """The row as a server-sent event."""
        type = str(event.event.get("type", ""))
        if self._names is None or ".cluster." in type or ".training." in type:
            context = await load_context(self._api, "/feed", None)
            activities = await context.or_default(self._api.trainings.activities(), [])
            self._names = name_lookup(context, activities)
        row = feed_row(event, self._names, with_payload=may_read_event(self._user, event.event))
        text = templating.fragment("_feed_row.html", {"row": row})
        data = "\n".join(f"data: {line}" for line in text.splitlines())
        return f"id: {event.position}\n{data}\n\n"
