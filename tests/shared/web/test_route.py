"""The promises of a route: policy, one transaction committed before the reply, idempotency, versions, pages."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select, text

from shared.auth import Issuer, Principal, Role, public
from shared.db import Database
from shared.web import Ops, RequestModel, Router, Tx, create_app
from tests.shared.web import example_service

PUBLIC = [public()]


class SampleBody(RequestModel):
    """Any body."""

    name: str


async def count(database: Database) -> int:
    """How many items are stored."""
    async with database.reading() as db:
        return await db.scalar(select(func.count()).select_from(example_service.ITEM)) or 0


@pytest.fixture
async def gate() -> example_service.Gate:
    """Holds `/odd/held`."""
    return example_service.Gate()


@pytest.fixture
async def odd(
    gate: example_service.Gate, ops: Ops, database: Database, app: FastAPI
) -> AsyncIterator[httpx2.AsyncClient]:
    """The routes that misbehave."""
    odd = create_app(
        title="Odd",
        version="1",
        database=database,
        cursor_secret="c" * 32,
        verifier=app.state.verifier,
        routers=[example_service.odd_router(gate, ops.drain)],
    )
    transport = httpx2.ASGITransport(app=odd, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://odd.test") as client:
        yield client


def test_a_route_without_a_policy_cannot_be_built() -> None:
    router = Router()
    with pytest.raises(TypeError, match=r"\['GET'\] /open \(unguarded\) declares no policy"):

        @router.get("/open")
        async def unguarded() -> None: ...


def test_a_policy_of_the_router_counts() -> None:
    router = Router(dependencies=PUBLIC)

    @router.get("/open")
    async def guarded() -> None: ...

    assert len(router.routes) == 1


def test_tx_needs_a_complete_response() -> None:
    router = Router(dependencies=PUBLIC)
    with pytest.raises(TypeError, match="complete response"):

        @router.post("/stream", response_class=StreamingResponse)
        async def stream(tx: Tx) -> None: ...

    with pytest.raises(TypeError, match="async function"):

        @router.post("/thread")
        def thread(tx: Tx) -> None: ...


def test_a_body_is_one_body_model() -> None:
    router = Router(dependencies=PUBLIC)
    with pytest.raises(TypeError, match="derived from RequestModel"):

        @router.post("/dict")
        async def loose(body: dict[str, str]) -> None: ...

    with pytest.raises(TypeError, match="derived from RequestModel"):

        @router.post("/two")
        async def two_bodies(body: SampleBody, other: SampleBody) -> None: ...


async def test_a_write_is_stored_and_answered(client: httpx2.AsyncClient, database: Database) -> None:
    made = await client.post("/items", json={"name": " Loom ", "stock": 3, "owner": str(uuid4())})
    assert made.status_code == 201
    assert made.json()["name"] == "Loom"
    assert made.headers["etag"] == '"v1"'
    read = await client.get(made.headers["location"])
    assert read.json() == made.json()
    assert await count(database) == 1


async def test_a_refusal_after_a_write_leaves_nothing(client: httpx2.AsyncClient, database: Database) -> None:
    refused = await client.post("/items", json={"name": "taken"})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "urn:kei:problem:taken"
    assert problem["errors"] == [{"field": "name", "message": "ann: there is one already."}]
    assert await count(database) == 0


async def test_a_returned_refusal_is_rolled_back_too(odd: httpx2.AsyncClient, database: Database) -> None:
    assert (await odd.post("/odd/refused")).status_code == 418
    assert await count(database) == 0


async def test_the_commit_comes_before_the_reply(app: FastAPI, database: Database, headers: dict[str, str]) -> None:
    seen: list[int] = []

    async def watching(scope: dict[str, object], receive: object, send: object) -> None:
        async def spy(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                seen.append(await count(database))
            await send(message)  # type: ignore[operator]

        await app(scope, receive, spy)  # type: ignore[arg-type]

    transport = httpx2.ASGITransport(app=watching)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test", headers=headers) as client:
        assert (await client.post("/items", json={"name": "Loom"})).status_code == 201
    assert seen == [1]


async def test_a_commit_that_fails_is_no_201(odd: httpx2.AsyncClient, database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("DROP TABLE IF EXISTS once"))
        await tx.execute(text("CREATE TABLE once (id int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)"))
    statement = "INSERT INTO once VALUES (1), (1)"
    failed = await odd.post("/odd/sql", params={"statement": statement})
    assert failed.status_code == 409
    assert failed.json()["type"] == "urn:kei:problem:conflict"


async def test_the_same_key_gives_the_same_answer_once(client: httpx2.AsyncClient, database: Database) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await client.post("/items", json={"name": "Loom"}, headers=key)
    again = await client.post("/items", json={"name": "Loom"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(database) == 1


async def test_a_key_belongs_to_one_request_of_one_caller(
    client: httpx2.AsyncClient, issuer: Issuer, database: Database
) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert (await client.post("/items", json={"name": "Loom"}, headers=key)).status_code == 201
    reused = await client.post("/items", json={"name": "Spindle"}, headers=key)
    assert reused.status_code == 422
    assert reused.json()["type"] == "urn:kei:problem:idempotency-key-reused"
    bob = Principal("bob", frozenset({Role.coordinator}))
    other = {**key, "Authorization": f"Bearer {issuer.token(bob)}"}
    assert (await client.post("/items", json={"name": "Spindle"}, headers=other)).status_code == 201
    assert await count(database) == 2


async def test_a_refused_attempt_does_not_use_up_its_key(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert (await client.post("/items", json={"name": "taken"}, headers=key)).status_code == 409
    assert (await client.post("/items", json={"name": "Loom"}, headers=key)).status_code == 201


async def test_two_attempts_at_once_have_one_effect(
    odd: httpx2.AsyncClient, gate: example_service.Gate, database: Database
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = asyncio.create_task(odd.post("/odd/held", headers=key))
    await asyncio.wait_for(gate.reached.wait(), 10)
    second = await odd.post("/odd/held", headers=key)
    assert second.status_code == 409
    assert second.json()["type"] == "urn:kei:problem:idempotency-key-in-use"
    gate.open.set()
    assert (await first).status_code == 201
    third = await odd.post("/odd/held", headers=key)
    assert third.headers["idempotency-replayed"] == "true"
    assert await count(database) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\tb", "caf\xe9"])
async def test_a_malformed_key_is_refused(client: httpx2.AsyncClient, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    refused = await client.post("/items", json={"name": "Loom"}, headers=headers)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_change_needs_the_version_that_was_read(client: httpx2.AsyncClient) -> None:
    place = (await client.post("/items", json={"name": "Loom"})).headers["location"]
    body = {"name": "Big loom"}

    async def change(etag: str | None) -> tuple[int, str]:
        headers = {"If-Match": etag} if etag is not None else {}
        response = await client.put(place, json=body, headers=headers)
        return response.status_code, response.json().get("type", response.headers.get("etag"))

    assert await change(None) == (428, "urn:kei:problem:precondition-required")
    for malformed in ("*", "v1", 'W/"v1"', '"v0"', '"v1", "v2"', '"v9999999999999999999"'):
        assert await change(malformed) == (400, "urn:kei:problem:malformed-if-match")
    assert await change('"v7"') == (412, "urn:kei:problem:stale")
    assert await change('"v1"') == (200, '"v2"')
    assert await change('"v1"') == (412, "urn:kei:problem:stale")


async def test_pages_follow_each_other_to_the_end(client: httpx2.AsyncClient) -> None:
    for name in "edcba":
        await client.post("/items", json={"name": name})
    names: list[str] = []
    cursor: str | None = None
    sizes = []
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/items", params=params)).json()
        sizes.append(len(page["items"]))
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == list("abcde")
    assert sizes == [2, 2, 1]


async def test_a_cursor_works_only_where_it_was_given(client: httpx2.AsyncClient) -> None:
    for name in "abc":
        await client.post("/items", json={"name": name})
    cursor = (await client.get("/items", params={"limit": 1})).json()["next"]
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for forged in ("x", "", "A" * 40, cursor + "A", cursor + "=", cursor + "\n", flipped, "é", cursor[:20]):
        refused = await client.get("/items", params={"cursor": forged})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor"), forged
    filtered = await client.get("/items", params={"cursor": cursor, "stock": 0})
    assert filtered.status_code == 422


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1000000000", "x", "", "1.5", "true"])
async def test_a_limit_out_of_range_is_refused(client: httpx2.AsyncClient, limit: str) -> None:
    refused = await client.get("/items", params={"limit": limit})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "limit"


async def test_unknown_and_repeated_parameters_are_refused(client: httpx2.AsyncClient) -> None:
    unknown = await client.get("/items?sort=name")
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "sort")
    repeated = await client.get("/items?limit=1&limit=2")
    assert (repeated.status_code, repeated.json()["errors"][0]["field"]) == (422, "limit")


async def test_partner_keys_are_taken_from_headers_only(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    del client.headers["Authorization"]
    good = {"subject": f"partner:{example_service.PARTNER}"}
    for way in ({"Authorization": f"Bearer {example_service.KEY}"}, {"X-API-Key": example_service.KEY}):
        assert (await client.get("/keyed", headers=way)).json() == good
    bad: list[dict[str, str]] = [
        {},
        {"X-API-Key": example_service.KEY[:-1]},
        {"X-API-Key": example_service.KEY[:-1] + "t"},
        {"X-API-Key": example_service.KEY.replace("abc", "xyz")},
        {"X-API-Key": "kei__"},
        {"X-API-Key": ""},
        {"X-API-Key": example_service.KEY, "Authorization": f"Bearer {example_service.KEY}"},
    ]
    for way in bad:
        refused = await client.get("/keyed", headers=way)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:kei:problem:unauthenticated"), way
    assert (await client.get(f"/keyed?api_key={example_service.KEY}")).status_code in {401, 422}
    assert (await client.get("/keyed", headers=headers)).status_code == 403
