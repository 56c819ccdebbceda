"""The feed by polling: every public event once, without gaps, unchanged, for permitted readers only."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.auth import Role
from shared.events.envelope import parse_structured, structured
from shared.transport.local import LocalTransport
from tests.services.notifications.actions import (
    OPERATOR,
    SERVICE_REQUESTED,
    TRAINING_PUBLISHED,
    add_partner,
    bearer,
    deliver_to_feed,
    head,
    new_events,
    problem,
)
from tests.support import factories


async def read(client: httpx2.AsyncClient, headers: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
    reply = await client.get("/feed", params=query, headers=headers or OPERATOR)
    assert reply.status_code == 200, reply.text
    page: dict[str, Any] = reply.json()
    return page


async def test_events_come_unchanged_in_gap_free_positions(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    assert await read(client) == {"items": [], "next": 0}
    events = await deliver_to_feed(client, transport, *new_events(7))
    page = await read(client)
    assert [item["position"] for item in page["items"]] == list(range(1, 8))
    assert page["next"] == await head(client) == 7
    by_id = {str(event.id): event for event in events}
    assert {item["event"]["id"] for item in page["items"]} == by_id.keys()
    for item in page["items"]:
        assert item["event"] == json.loads(structured(by_id[item["event"]["id"]]))
        assert parse_structured(json.dumps(item["event"]).encode()).version == 1


async def test_going_on_after_any_position_gives_exactly_the_rest(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await deliver_to_feed(client, transport, *new_events(6))
    whole = (await read(client))["items"]
    for after in range(7):
        assert (await read(client, after=after))["items"] == whole[after:]
    page = await read(client, after=2, limit=2)
    assert (page["items"], page["next"]) == (whole[2:4], 4)


async def test_a_filter_passes_over_what_is_not_asked_for(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await deliver_to_feed(client, transport, *new_events(5))
    wanted = [item for item in (await read(client))["items"] if item["event"]["type"] == TRAINING_PUBLISHED]
    page = await read(client, types=TRAINING_PUBLISHED)
    assert (page["items"], page["next"]) == (wanted, 5)
    first = await read(client, types=TRAINING_PUBLISHED, limit=1)
    assert (first["items"], first["next"]) == (wanted[:1], wanted[0]["position"])
    both = await read(client, types=[TRAINING_PUBLISHED, SERVICE_REQUESTED])
    assert len(both["items"]) == 5
    remaining = await read(client, types=TRAINING_PUBLISHED, after=wanted[-1]["position"])
    assert (remaining["items"], remaining["next"]) == ([], 5)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"after": "1"}, (400, "position-in-the-future", ["after"])),
        ({"after": "-1"}, (422, "invalid-request", ["after"])),
        ({"after": str(2**63)}, (422, "invalid-request", ["after"])),
        ({"limit": "0"}, (422, "invalid-request", ["limit"])),
        ({"wait": "26"}, (422, "invalid-request", ["wait"])),
        ({"types": "kei.members.target.set.v1"}, (422, "unknown-type", ["types"])),
        ({"types": "x"}, (422, "unknown-type", ["types"])),
        ({"type": SERVICE_REQUESTED}, (422, "invalid-request", ["type"])),
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    client: httpx2.AsyncClient, query: dict[str, str], expected: tuple[int, str, list[str]]
) -> None:
    assert problem(await client.get("/feed", params=query, headers=OPERATOR)) == expected


async def test_a_long_poll_answers_when_something_comes(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    polling = asyncio.create_task(read(client, wait=25, types=TRAINING_PUBLISHED))
    await deliver_to_feed(client, transport, factories.stored(factories.service_requested()))
    assert not polling.done()
    (event,) = await deliver_to_feed(client, transport, factories.stored(factories.training_published()))
    page = await polling
    assert [item["event"]["id"] for item in page["items"]] == [str(event.id)]
    assert page["next"] == 2
    assert await read(client, wait=25) == await read(client)
    assert loop.time() - start < 10


async def test_a_long_poll_ends_with_nothing_after_its_time(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await deliver_to_feed(client, transport, *new_events(1))
    start = asyncio.get_running_loop().time()
    assert await read(client, wait=1, after=1) == {"items": [], "next": 1}
    assert 0.9 < asyncio.get_running_loop().time() - start < 5


async def test_partners_read_what_is_granted_to_them(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    await deliver_to_feed(client, transport, *new_events(4))
    restricted, unrestricted = await add_partner(client, "Some", TRAINING_PUBLISHED), await add_partner(client, "All")
    page = await read(client, bearer(restricted["key"]))
    assert {item["event"]["type"] for item in page["items"]} == {TRAINING_PUBLISHED}
    assert page["next"] == 4
    assert (await read(client, {"X-API-Key": restricted["key"]}, types=TRAINING_PUBLISHED)) == page
    refused = await client.get("/feed", params={"types": SERVICE_REQUESTED}, headers=bearer(restricted["key"]))
    assert problem(refused) == (422, "unknown-type", ["types"])
    assert len((await read(client, bearer(unrestricted["key"])))["items"]) == 4


async def test_who_may_not_read(client: httpx2.AsyncClient) -> None:
    for path in ("/feed", "/feed/stream", "/feed/head"):
        assert problem(await client.get(path)) == (401, "unauthenticated", [])
        assert (await client.get(path, headers=bearer("kei_abcdefgh1234_" + "s" * 43))).status_code == 401
        manager = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=uuid4())
        assert problem(await client.get(path, headers=manager)) == (403, "forbidden", [])
    stranger = factories.signed_in(Role.partner, partner=uuid4())
    assert problem(await client.get("/feed", headers=stranger)) == (403, "no-such-partner", [])
    assert (await client.get("/feed", headers=factories.signed_in(Role.service))).status_code == 200


async def test_a_key_revoked_while_it_waits_gets_nothing(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    partner = await add_partner(client)
    polling = asyncio.create_task(client.get("/feed", params={"wait": "25"}, headers=bearer(partner["key"])))
    revoked = await client.delete(f"/partners/{partner['id']}/keys/{partner['prefix']}", headers=OPERATOR)
    assert revoked.status_code == 204
    await deliver_to_feed(client, transport, *new_events(1))
    assert (await polling).status_code == 401
