"""Bad input, as bytes: each kind has its status and names its place, and none of it takes long."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest

from shared.auth import Verifier
from shared.db import Database
from shared.web import Limits, create_app
from shared.web.json_limits import LimitExceededError, NotJsonError, check
from tests.shared.web import example_service

JSON = {"Content-Type": "application/json"}

STRUCTURES = [
    (b'{"name": "a\\u0000b"}', "body.name"),
    (b'{"name": "\\ud800"}', "body.name"),
    (b'{"a\\u0000": 1}', "body"),
    (b'{"stock": 9223372036854775808}', "body.stock"),
    (b'{"stock": -9223372036854775809}', "body.stock"),
    (b'{"stock": ' + b"9" * 5000 + b"}", "body.stock"),
    (b'{"stock": NaN}', "body.stock"),
    (b'{"stock": -Infinity}', "body.stock"),
    (b'{"stock": 1e999}', "body.stock"),
    (b'{"name": "a", "name": "b"}', "body.name"),
    (b'{"sizes": [{"width": 1}, {"width": 1, "width": 2}]}', "body.sizes.1.width"),
    (b'{"sizes": ' + b"[" * 33 + b"]" * 33 + b"}", "body.sizes" + ".0" * 31),
    (b"[" * 100_000, "body"),
    (b'{"sizes": [' + b",".join([b"1"] * 501) + b"]}", "body.sizes"),
    (json.dumps({str(key): 1 for key in range(201)}).encode(), "body"),
]


@pytest.mark.parametrize(("body", "place"), STRUCTURES)
async def test_bad_structure_is_refused_with_its_place(client: httpx2.AsyncClient, body: bytes, place: str) -> None:
    begun = time.perf_counter()
    refused = await client.post("/items", content=body, headers=JSON)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == place
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe{\x00}\x00",
        '{"name": "x"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name": "x"}',
        b"{",
        b"{'a': 1}",
        b'"\x01"',
    ],
)
async def test_what_is_not_json_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    refused = await client.post("/items", content=body, headers=JSON)
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:kei:problem:malformed-json")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "stock": "1"}, "body.stock"),
        ({"name": "x", "stock": True}, "body.stock"),
        ({"name": "x", "stock": 1.0}, "body.stock"),
        ({"name": "x", "stock": 2**31}, "body.stock"),
        ({"name": "x", "role": "operator"}, "body.role"),
        ({"name": "x", "owner": "nobody"}, "body.owner"),
        ({"name": "x", "sizes": [{"width": 1, "made": "2025-02-29"}]}, "body.sizes.0.made"),
        ({"name": "x", "sizes": [{"width": 1, "made": 7}]}, "body.sizes.0.made"),
        ({"name": ""}, "body.name"),
        ({"name": " \u2003 "}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"name": "\u202egnp.exe"}, "body.name"),
        ({"name": "a\u200bb"}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": "x", "note": "\x1b[31m"}, "body.note"),
        ({"name": "x", "note": "x" * 2001}, "body.note"),
        ({}, "body.name"),
        ([], "body"),
        (None, "body"),
    ],
)
async def test_a_bad_value_is_refused_with_its_field(client: httpx2.AsyncClient, body: object, field: str) -> None:
    refused = await client.post("/items", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == field


async def test_good_values_of_every_script_pass(client: httpx2.AsyncClient) -> None:
    body = {
        "name": "Filature Écru \U0001f468\u200d\U0001f33e نساجی",
        "note": "one\n\ttwo\r\n",
        "sizes": [{"width": 1, "made": "2024-02-29"}],
    }
    made = await client.post("/items", json=body)
    assert made.status_code == 201
    decomposed = await client.post("/items", json={"name": "E\u0301cru"})
    assert decomposed.json()["name"] == "\u00c9cru"


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        "application/merge-patch+json",
        "x",
    ],
)
async def test_other_content_types_are_refused(client: httpx2.AsyncClient, kind: str) -> None:
    refused = await client.post("/items", content=b'{"name": "x"}', headers={"Content-Type": kind})
    assert refused.status_code == 415
    assert refused.headers["accept-post"] == "application/json"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_in_utf8_is_taken(client: httpx2.AsyncClient, kind: str) -> None:
    made = await client.post("/items", content=b'{"name": "x"}', headers={"Content-Type": kind})
    assert made.status_code == 201


async def test_compressed_bodies_are_refused(client: httpx2.AsyncClient) -> None:
    refused = await client.post("/items", content=b"{}", headers={**JSON, "Content-Encoding": "gzip"})
    assert (refused.status_code, refused.json()["type"]) == (415, "urn:kei:problem:unsupported-encoding")


async def test_a_large_body_is_refused_however_it_comes(client: httpx2.AsyncClient) -> None:
    large = b'"' + b"x" * 256 * 1024 + b'"'

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 4096

    assert (await client.post("/items", content=large, headers=JSON)).status_code == 413
    assert (await client.post("/items", content=chunks(), headers=JSON)).status_code == 413
    lying = await client.post("/items", content=b"{}", headers={**JSON, "Content-Length": "9" * 30})
    assert lying.status_code == 413
    wrong = await client.post("/items", content=b"{}", headers={**JSON, "Content-Length": "-1"})
    assert wrong.status_code == 400


async def test_a_slow_body_is_given_up(database: Database, verifier: Verifier, headers: dict[str, str]) -> None:
    app = create_app(
        title="Shop",
        version="1",
        database=database,
        cursor_secret="c" * 32,
        verifier=verifier,
        routers=[example_service.router()],
        limits=Limits(receive=0.05),
    )

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://shop.test", headers=headers
    ) as client:
        refused = await client.post("/items", content=never(), headers=JSON)
    assert (refused.status_code, refused.json()["type"]) == (408, "urn:kei:problem:body-too-slow")


async def test_addresses_and_headers_have_bounds(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/items", params={"cursor": "x" * 4096})).status_code == 414
    assert (await client.get("/items", headers={"X-Filler": "x" * 17_000})).status_code == 431
    for address in ("/items?cursor=%00", "/items/%00"):
        refused = await client.get(address)
        assert (refused.status_code, refused.json()["type"]) == (400, "urn:kei:problem:malformed-url")
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert (await client.post("/items", json={"name": "x"}, headers=twice)).status_code == 400


def test_the_largest_bodies_are_checked_quickly() -> None:
    """The event loop stands still for as long as this takes."""
    bodies = [
        b'{"a":[' + b'{"b":"c"},' * 400 + b'"' + b"\xc3\xa9" * 120_000 + b'"]}',
        b"[" + b"0," * 131_000 + b"0]",
        b"{" + b",".join(b'"%d":0' % key for key in range(26_000)) + b"}",
        b"[" * 262_144,
        b'{"a":' * 43_000,
        b"[" + b"[]," * 87_000 + b"[]]",
        b"9" * 262_144,
        b"1." + b"9" * 262_000,
        b'"' + b"\\u00e9" * 43_000 + b'"',
    ]
    for body in bodies:
        best = 1.0
        for _ in range(3):
            begun = time.perf_counter()
            with suppress(LimitExceededError, NotJsonError):
                check(body)
            best = min(best, time.perf_counter() - begun)
        assert best < 0.05, (best, body[:20])


async def test_a_missing_body_is_named(client: httpx2.AsyncClient) -> None:
    refused = await client.post("/items")
    assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "body", "message": "Field required"}])
