"""The outermost layer: every answer is a problem document with the request's id, and no answer tells a secret."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from shared import telemetry
from shared.auth import Issuer, Principal, Role, Verifier
from shared.db import Database
from shared.web import Drain, Limits, Ops, create_app
from shared.web import route as route_module
from tests.shared.web import example_service


def build(database: Database | None, verifier: Verifier, ops: Ops, gate: example_service.Gate | None = None) -> FastAPI:
    """The routes that misbehave."""
    return create_app(
        title="Odd",
        version="1",
        database=database,
        cursor_secret="c" * 32,
        verifier=verifier,
        routers=[example_service.odd_router(gate or example_service.Gate(), ops.drain)],
        ops=ops,
        limits=Limits(),
    )


@contextlib.asynccontextmanager
async def calling(app: FastAPI | Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller of `app`."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, base_url="http://odd.test") as client:
        yield client


@pytest.fixture
async def odd(database: Database, verifier: Verifier, ops: Ops) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller of the routes that misbehave."""
    async with calling(build(database, verifier, ops)) as client:
        yield client


def slug(response: httpx2.Response) -> tuple[int, str]:
    """Status and kind of a problem, after the parts that all problems have were checked."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, problem["type"].removeprefix("urn:kei:problem:")


async def test_every_refusal_is_a_problem_document(odd: httpx2.AsyncClient) -> None:
    assert slug(await odd.get("/nowhere")) == (404, "not-found")
    assert slug(await odd.get("/odd/held/")) == (404, "not-found")
    assert slug(await odd.get("/odd/http/404")) == (404, "not-found")
    assert slug(await odd.get("/odd/http/409")) == (409, "conflict")
    assert slug(await odd.get("/odd/http/418")) == (418, "im-a-teapot")
    assert slug(await odd.get("/odd/http/500")) == (500, "internal-server-error")
    assert slug(await odd.get("/odd/http/x")) == (422, "invalid-request")


async def test_a_fault_of_ours_tells_nothing_but_is_logged(odd: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        failed = await odd.get("/odd/broken", headers={"X-Request-ID": "request-0001"})
    assert slug(failed) == (500, "internal-error")
    assert failed.headers["x-request-id"] == "request-0001"
    (line,) = logs
    assert line["request_id"] == "request-0001"
    assert repr(line["exc_info"]) == "RuntimeError('a secret')"


@pytest.mark.parametrize("request_id", ["short", "x" * 65, "a b c d e f", "caf\xe9caf\xe9", 'x"; drop it'])
async def test_a_strange_request_id_is_replaced(odd: httpx2.AsyncClient, request_id: str) -> None:
    answer = await odd.get("/livez", headers=[(b"X-Request-ID", request_id.encode("latin-1"))])
    assert answer.headers["x-request-id"] != request_id
    assert len(answer.headers["x-request-id"]) == 36


async def test_405_names_all_methods_of_the_address(client: httpx2.AsyncClient) -> None:
    refused = await client.delete("/items")
    assert slug(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, POST"
    assert (await client.patch(f"/items/{uuid4()}")).headers["allow"] == "GET, PUT"


async def test_outages_ask_for_patience(odd: httpx2.AsyncClient) -> None:
    async def state(code: str) -> tuple[int, str | None]:
        statement = f"DO $$ BEGIN RAISE EXCEPTION 'a secret' USING ERRCODE = '{code}'; END $$"
        answer = await odd.post("/odd/sql", params={"statement": statement})
        slug(answer)
        return answer.status_code, answer.headers.get("retry-after")

    for soon in ("40001", "40P01", "55P03"):
        assert await state(soon) == (503, "1")
    for later in ("53100", "53300", "57P01", "57014", "08006", "58030", "25P04"):
        assert await state(later) == (503, "5")
    for clash in ("23505", "23514"):
        assert await state(clash) == (409, None)
    for ours in ("42601", "22003", "P0001"):
        assert await state(ours) == (500, None)
    assert slug(await odd.get("/odd/missing-socket")) == (503, "unavailable")
    assert slug(await odd.get("/odd/missing-file")) == (500, "internal-error")


async def test_a_database_that_is_away_is_no_fault_of_ours(verifier: Verifier, ops: Ops) -> None:
    for url in ("postgresql://u:p@127.0.0.1:1/none", "postgresql:///none?host=/nonexistent"):
        away = Database(url, name="away")
        async with calling(build(away, verifier, ops)) as client:
            answer = await client.post("/odd/sql", params={"statement": "SELECT 1"})
            assert slug(answer) == (503, "unavailable")
            assert answer.headers["retry-after"] == "5"
            assert slug(await client.get("/readyz")) == (503, "not-ready")
            assert (await client.get("/livez")).status_code == 200
        await away.close()


async def test_a_killed_connection_is_an_outage_once(odd: httpx2.AsyncClient, database: Database) -> None:
    statement = "SELECT pg_terminate_backend(pg_backend_pid())"
    assert slug(await odd.post("/odd/sql", params={"statement": statement})) == (503, "unavailable")
    assert (await odd.post("/odd/sql", params={"statement": "SELECT 1"})).status_code == 200
    async with database.reading() as db:
        assert await db.scalar(text("SELECT 1")) == 1


async def test_a_request_that_takes_too_long_is_given_up(
    database: Database, verifier: Verifier, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_module, "REQUEST_DEADLINE", 0.2)
    async with calling(build(database, verifier, ops)) as client:
        assert slug(await client.post("/odd/held")) == (503, "unavailable")
        async with database.reading() as db:
            assert await db.scalar(text("SELECT count(*) FROM item")) == 0
        streaming = asyncio.create_task(client.get("/odd/stream"))
        done, _ = await asyncio.wait([streaming], timeout=0.4)
        assert not done
        ops.drain.begin()
        assert (await streaming).text == "begun\ndone\n"


async def test_liveness_and_readiness_name_what_is_wrong(database: Database, verifier: Verifier) -> None:
    async def stuck() -> str:
        return "The relay has stood still for 90 s."

    async def broken() -> None:
        raise RuntimeError("a secret")

    async def slow() -> None:
        await asyncio.Event().wait()

    ops = Ops(drain=Drain())
    async with calling(build(database, verifier, ops)) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        ops.alive["relay"] = stuck
        ops.ready.update(consumer=broken, slow=slow)
        answer = await client.get("/livez")
        assert slug(answer) == (503, "not-alive")
        assert answer.json()["errors"] == [{"field": "relay", "message": "The relay has stood still for 90 s."}]
        answer = await client.get("/readyz")
        assert slug(answer) == (503, "not-ready")
        assert [fault["field"] for fault in answer.json()["errors"]] == ["consumer", "slow"]
        ops.drain.begin()
        assert slug(await client.get("/readyz")) == (503, "draining")


async def test_metrics_can_be_scraped(client: httpx2.AsyncClient, ops: Ops) -> None:
    async def broken() -> list[GaugeMetricFamily]:
        raise RuntimeError("a secret")

    ops.collectors.append(broken)
    await client.get(f"/items/{uuid4()}")
    await client.get("/nowhere")
    await client.request("BREW", "/items")
    answer = await client.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    requests = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for sample in families["kei_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert requests == {("GET", "/items/{item_id}", "404"), ("GET", "other", "404"), ("other", "other", "405")}
    assert families["kei_outbox_oldest_unsent_age_seconds"].samples[0].value == 0.5
    assert families["kei_failed_collectors"].samples[0].value == 1


async def test_who_may_not_learns_no_more(client: httpx2.AsyncClient, issuer: Issuer) -> None:
    async def call(*authorization: str) -> tuple[int, str]:
        headers = [("Authorization", value) for value in authorization]
        client.headers.pop("Authorization", None)
        answer = await client.post("/items", json={"name": "x"}, headers=headers)
        assert answer.status_code != 401 or answer.headers["www-authenticate"] == "Bearer"
        return slug(answer)

    strangers = ["/items?cursor=forged", "/items?sort=name", "/items?limit=x", "/items/seven"]
    client.headers.pop("Authorization")
    for address in strangers:
        assert slug(await client.get(address)) == (401, "unauthenticated")
    manager = issuer.token(Principal("m", frozenset({Role.manager})))
    coordinator = issuer.token(Principal("c", frozenset({Role.coordinator})))
    for bad in ((), ("Bearer",), ("Bearer ",), ("Basic YTpi",), (f"Token {coordinator}",), (f"Bearer {coordinator}x",)):
        assert await call(*bad) == (401, "unauthenticated")
    assert await call(f"Bearer {coordinator}", f"Bearer {coordinator}") == (401, "unauthenticated")
    assert await call(f"Bearer {manager}") == (403, "forbidden")


async def test_mounted_under_a_prefix_all_works(app: FastAPI, headers: dict[str, str]) -> None:
    house = Starlette(routes=[Mount("/shop", app=app)])
    async with calling(house) as client:
        client.headers.update(headers)
        for name in "ab":
            assert (await client.post("/shop/items", json={"name": name})).status_code == 201
        first = (await client.get("/shop/items?limit=1")).json()
        second = (await client.get("/shop/items", params={"limit": 1, "cursor": first["next"]})).json()
        assert [item["name"] for item in second["items"]] == ["b"]
        assert (await client.delete("/shop/items")).headers["allow"] == "GET, POST"
        assert slug(await client.get("/shop/nowhere")) == (404, "not-found")
        assert (await client.get("/shop/livez")).status_code == 200


async def test_an_application_may_have_no_database(verifier: Verifier, ops: Ops) -> None:
    async with calling(build(None, verifier, ops)) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert slug(await client.post("/odd/sql", params={"statement": "SELECT 1"})) == (500, "internal-error")


async def test_a_request_joins_the_trace_of_its_caller(odd: httpx2.AsyncClient) -> None:
    telemetry.set_up("test")
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = (await odd.get("/odd/trace", headers={"traceparent": caller})).json()["traceparent"]
    assert seen.split("-")[1] == caller.split("-")[1]
    assert seen.split("-")[2] != caller.split("-")[2]
