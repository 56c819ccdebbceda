"""The feed as server-sent events, over real connections: a reader that reconnects gets exactly the rest."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import structlog

from services.notifications import main
from services.notifications.push import sse
from services.notifications.routes import feed
from shared.events.envelope import structured
from shared.transport.local import LocalTransport
from shared.web import Drain
from tests.services.notifications.actions import (
    OPERATOR,
    SERVICE_REQUESTED,
    TRAINING_PUBLISHED,
    add_partner,
    bearer,
    deliver_to_feed,
    new_events,
    problem,
)
from tests.support import factories
from tests.support.waiting import eventually


@pytest.fixture
def drain(monkeypatch: pytest.MonkeyPatch) -> Drain:
    """A drain for this test: the one of the process cannot be reset for later tests."""
    drain = Drain()
    monkeypatch.setattr(main, "DRAIN", drain)
    return drain


@pytest.fixture
async def client(url: str, transport: LocalTransport, drain: Drain) -> AsyncIterator[httpx2.AsyncClient]:
    async with factories.serving(
        main.build(factories.settings(url), transport=transport, keys=factories.keys()), drain
    ) as client:
        yield client


class Listener:
    """Reads a stream block by block."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> list[str]:
        """The next lines up to an empty one; [] at the end."""
        lines: list[str] = []
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line:
                    return lines
                lines.append(line)
        return lines

    async def events(self, count: int) -> list[tuple[int, str, dict[str, Any]]]:
        """The next events: position, type, and the event itself."""
        events: list[tuple[int, str, dict[str, Any]]] = []
        while len(events) < count:
            block = await self.block()
            assert block, "the stream ended"
            if block[0].startswith("id: "):
                id, kind, data = (line.partition(": ")[2] for line in block)
                events.append((int(id), kind, json.loads(data)))
        return events


@asynccontextmanager
async def listening(
    client: httpx2.AsyncClient, headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator[Listener]:
    async with client.stream("GET", "/feed/stream", headers=headers or OPERATOR, params=query) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Listener(response)


async def test_a_stream_tells_what_was_and_what_comes(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    events = await deliver_to_feed(client, transport, *new_events(3))
    async with listening(client) as listener:
        assert await listener.block() == ["retry: 2000"]
        first = await listener.events(3)
        events += await deliver_to_feed(client, transport, *new_events(2))
        seen = first + await listener.events(2)
    assert [position for position, _, _ in seen] == [1, 2, 3, 4, 5]
    received = {event["id"]: event for _, kind, event in seen if kind == event["type"]}
    assert received == {str(event.id): json.loads(structured(event)) for event in events}


async def test_coming_back_with_any_position_gives_exactly_the_rest(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await deliver_to_feed(client, transport, *new_events(4))
    async with listening(client) as listener:
        whole = await listener.events(4)
    for last in range(4):
        async with listening(client, OPERATOR | {"Last-Event-ID": str(last)}, after=1) as listener:
            assert await listener.events(4 - last) == whole[last:]
    async with listening(client, after=3) as listener:
        assert await listener.events(1) == whole[3:]
    async with listening(client, OPERATOR | {"Last-Event-ID": "4"}) as listener:
        await deliver_to_feed(client, transport, *new_events(1))
        assert [position for position, _, _ in await listener.events(1)] == [5]


async def test_old_positions_are_read_from_the_database(
    client: httpx2.AsyncClient, transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "BATCH_SIZE", 3)
    await deliver_to_feed(client, transport, *new_events(10))
    async with listening(client, types=SERVICE_REQUESTED) as listener:
        seen = await listener.events(5)
        await deliver_to_feed(client, transport, *new_events(4))
        seen += await listener.events(2)
    assert {kind for _, kind, _ in seen} == {SERVICE_REQUESTED}
    positions = [position for position, _, _ in seen]
    assert positions == sorted(set(positions))


async def test_all_listeners_hear_the_same(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    async with (
        listening(client) as first,
        listening(client) as second,
        listening(client, types=TRAINING_PUBLISHED) as filtered,
    ):
        await deliver_to_feed(client, transport, *new_events(6))
        events = await first.events(6)
        assert await second.events(6) == events
        assert await filtered.events(3) == [event for event in events if event[1] == TRAINING_PUBLISHED]


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "\u00b2", "9" * 30, ""])
async def test_a_position_that_is_none_is_refused(client: httpx2.AsyncClient, last: str) -> None:
    headers = httpx2.Headers({**OPERATOR, "Last-Event-ID": last}, encoding="latin-1")
    reply = await client.get("/feed/stream", headers=headers)
    assert problem(reply) == (400, "malformed-last-event-id", ["Last-Event-ID"])


async def test_the_future_is_refused(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    await deliver_to_feed(client, transport, *new_events(1))
    for headers, query in ((OPERATOR | {"Last-Event-ID": "2"}, {}), (OPERATOR, {"after": "2"})):
        reply = await client.get("/feed/stream", headers=headers, params=query)
        assert problem(reply) == (400, "position-in-the-future", ["after"])
    partner = await add_partner(client, "Some", TRAINING_PUBLISHED)
    reply = await client.get("/feed/stream", params={"types": SERVICE_REQUESTED}, headers=bearer(partner["key"]))
    assert problem(reply) == (422, "unknown-type", ["types"])


async def test_a_heart_beats_until_the_key_is_revoked(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.1)
    partner = await add_partner(client)
    async with listening(client, bearer(partner["key"])) as listener:
        assert [await listener.block() for _ in range(3)] == [["retry: 2000"], [":"], [":"]]
        await client.delete(f"/partners/{partner['id']}/keys/{partner['prefix']}", headers=OPERATOR)

        async def ended() -> bool:
            return await listener.block() == []

        await eventually(ended)


async def test_a_reader_that_takes_nothing_is_cut_off_and_harms_nobody(
    client: httpx2.AsyncClient, transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WRITE_TIMEOUT_SECONDS", 0.3)
    large = [factories.stored(factories.training_published(title="x" * 60_000)) for _ in range(200)]
    await deliver_to_feed(client, transport, *large)
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port, limit=1024)
    request = f"GET /feed/stream HTTP/1.1\r\nHost: kei\r\nAuthorization: {OPERATOR['Authorization']}\r\n\r\n"
    with structlog.testing.capture_logs() as logs:
        writer.write(request.encode())
        await eventually(lambda: any(line.get("error") == "TimeoutError" for line in logs))
    async with asyncio.timeout(10):
        received = await reader.read(-1)
    writer.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")
    assert 0 < received.count(b"\nid: ") < 200
    async with listening(client) as listener:
        assert [position for position, _, _ in await listener.events(200)] == list(range(1, 201))


async def test_streams_and_long_polls_end_when_the_process_is_about_to(
    client: httpx2.AsyncClient, drain: Drain
) -> None:
    polling = asyncio.create_task(client.get("/feed", params={"wait": "25"}, headers=OPERATOR))
    async with listening(client) as listener:
        assert await listener.block() == ["retry: 2000"]
        drain.begin()
        farewell = await listener.block()
        assert farewell[-1] == "retry: 1000"
        assert await listener.block() == []
    assert (await polling).json() == {"items": [], "next": 0}
