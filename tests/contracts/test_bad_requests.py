"""Bad heads and addresses on real routes of members: ids, versions, keys, cursors, tokens, and whose they are."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared import clock
from shared.auth import Issuer, Principal, Role
from shared.web.idempotency import IdempotentRequest
from tests.contracts.actions import OPERATOR, Members, refused
from tests.support import factories
from tests.support.connection import database_connection

FACTS = ("consortium_id", "mentor_capacity", "learner_capacity")
CAPACITY = {"mentor_capacity": 3, "learner_capacity": 3}
ME = "test operator"

# --- ids


def calls(id: str, facts: dict[str, Any]) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Every operation on one cluster."""
    score = {"kind": "self", "assessed_on": "2020-01-01", "valid_until": "2036-01-01", "scores": {"x": 1}}
    return [
        ("GET", f"/clusters/{id}", None),
        ("GET", f"/clusters/{id}/levels", None),
        ("GET", f"/clusters/{id}/assessments", None),
        ("PUT", f"/clusters/{id}", {name: value for name, value in facts.items() if name not in FACTS}),
        ("PUT", f"/clusters/{id}/capacity", CAPACITY),
        ("PUT", f"/clusters/{id}/targets/small/x", {"level": 1, "priority": 1}),
        ("POST", f"/clusters/{id}/assessments", {"framework": "small", **score}),
        ("POST", f"/clusters/{id}/requests", {"framework": "small", "indicator": "x", "urgency": 1}),
    ]


@pytest.mark.parametrize("role", [Role.coordinator, Role.manager])
async def test_what_is_others_is_as_good_as_not_there(members: Members, role: Role) -> None:
    stranger = factories.signed_in(role, consortium=uuid4(), cluster=uuid4()) | {"If-Match": '"v1"'}
    answers = []
    for id in (members.cluster, str(uuid4())):
        for method, path, body in calls(id, members.body()):
            reply = await members.client.request(method, path, json=body, headers=stranger)
            assert refused(reply) == (404, "no-such-cluster", ""), (method, path)
            answers.append({name: value for name, value in reply.json().items() if name != "request_id"})
    assert all(answer == answers[0] for answer in answers)
    reply = await members.client.post("/clusters", json=members.body(), headers=stranger)
    assert refused(reply)[0] == (404 if role is Role.coordinator else 403)
    assert (await members.client.get("/clusters", headers=stranger)).json()["items"] == []


@pytest.mark.parametrize("id", ["7", "..%2f..%2fetc", "%27%20OR%201=1--", "0" * 32 + "g", "%F0%9F%8C%99"])
async def test_an_id_that_is_none_is_refused_by_name(members: Members, id: str) -> None:
    reply = await members.client.get(f"/clusters/{id}", headers=OPERATOR)
    assert refused(reply) in {(422, "invalid-request", "id"), (404, "not-found", "")}


# --- versions

MALFORMED = ["v1", '"1"', 'W/"v1"', '"v0"', '"v01"', "*", '"v1", "v2"', '"v9999999999"', '"v1\0"', '""', ""]


async def test_a_version_has_to_be_named_and_the_newest(members: Members) -> None:
    async def change(*seen: str) -> httpx2.Response:
        headers = [*OPERATOR.items(), *(("If-Match", tag) for tag in seen)]
        return await members.client.put(f"/clusters/{members.cluster}/capacity", json=CAPACITY, headers=headers)

    assert refused(await change()) == (428, "precondition-required", "If-Match")
    for tag in MALFORMED:
        assert refused(await change(tag)) == (400, "malformed-if-match", "If-Match"), tag
    assert refused(await change('"v1"', '"v1"')) == (400, "repeated-header", "if-match")
    assert (await change('"v1"')).headers["ETag"] == '"v2"'
    assert refused(await change('"v1"')) == (412, "stale", "")
    assert refused(await change('"v3"')) == (412, "stale", "")
    assert (await members.client.get(f"/clusters/{members.cluster}", headers=OPERATOR)).json()["version"] == 2


# --- keys


async def test_a_key_is_good_for_one_request_of_one_caller(members: Members) -> None:
    async def register(key: str, body: dict[str, Any], **caller: str) -> httpx2.Response:
        return await members.client.post("/clusters", json=body, headers={**OPERATOR, **caller, "Idempotency-Key": key})

    body = members.body()
    first = await register("one", body)
    again = await register("one", body)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(await register("one", members.body())) == (422, "idempotency-key-reused", "Idempotency-Key")
    elsewhere = await members.client.post(
        "/consortia", json=factories.consortium(), headers={**OPERATOR, "Idempotency-Key": "one"}
    )
    assert refused(elsewhere) == (422, "idempotency-key-reused", "Idempotency-Key")
    other = factories.signed_in(Role.coordinator, consortium=UUID(members.consortium))
    assert (await register("one", members.body(), **other)).status_code == 201
    assert refused(await register("two", body))[:2] == (409, "slug-taken")
    assert (await register("two", members.body())).status_code == 201, "a refusal used the key up"
    assert await members.clusters() == 4


async def test_a_key_that_is_none_is_refused(members: Members) -> None:
    replies = {}
    for key in ("", " ", "a b", "x" * 256, "é", "a\tb"):
        headers = [(name.encode(), value.encode()) for name, value in {**OPERATOR, "Idempotency-Key": key}.items()]
        replies[key] = refused(await members.client.post("/clusters", json=members.body(), headers=headers))
    assert replies == dict.fromkeys(replies, (400, "malformed-idempotency-key", "Idempotency-Key"))
    twice = [*OPERATOR.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    reply = await members.client.post("/clusters", json=members.body(), headers=twice)
    assert refused(reply) == (400, "repeated-header", "idempotency-key")
    assert await members.clusters() == 1


async def test_a_key_in_use_is_refused_until_it_is_free(members: Members) -> None:
    content = json.dumps(members.body()).encode()
    attempt = IdempotentRequest(principal=ME, key="one", request="POST /clusters?", body=content)
    async with database_connection(members.url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", attempt.lock)
        assert refused(await members.post(content, Idempotency_Key="one"))[:2] == (409, "idempotency-key-in-use")
    assert (await members.post(content, Idempotency_Key="one")).status_code == 201


async def test_one_request_sent_eight_times_at_once_has_one_effect(members: Members) -> None:
    content = json.dumps(members.body()).encode()
    replies = await asyncio.gather(*(members.post(content, Idempotency_Key="one") for _ in range(8)))
    assert {reply.status_code for reply in replies} <= {201, 409}
    assert len({reply.content for reply in replies if reply.status_code == 201}) == 1
    assert await members.clusters() == 2


# --- pages


async def test_a_page_is_asked_for_by_a_cursor_of_ours_only(members: Members) -> None:
    for _ in range(2):
        assert (await members.post(json.dumps(members.body()).encode())).status_code == 201
    path = "/clusters?limit=1"
    cursor = (await members.client.get(path, headers=OPERATOR)).json()["next"]
    assert len((await members.client.get(f"{path}&cursor={cursor}", headers=OPERATOR)).json()["items"]) == 1
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    own = base64.urlsafe_b64encode(b"\0" * 16 + b'["",{"id":"x"}]').decode().rstrip("=")
    for forged in (
        "",
        "x",
        "..",
        "%00",
        "null",
        changed,
        cursor[:-1],
        f"{cursor}A",
        f"{cursor}=",
        own,
        "é",
        "x" * 1001,
    ):
        reply = await members.client.get(f"/clusters?limit=1&cursor={forged}", headers=OPERATOR)
        assert refused(reply)[0] == (400 if forged == "%00" else 422), forged
        assert refused(reply)[2] == ("" if forged == "%00" else "cursor"), forged
    other = await members.client.get(f"/requests?limit=1&cursor={cursor}", headers=OPERATOR)
    assert refused(other) == (422, "invalid-cursor", "cursor")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=101", "limit=1000000000", "limit=x", "limit=1.5", "limit="]
)
async def test_a_limit_out_of_range_is_refused_by_name(members: Members, query: str) -> None:
    reply = await members.client.get(f"/clusters?{query}", headers=OPERATOR)
    assert refused(reply) == (422, "invalid-request", "limit")


@pytest.mark.parametrize(
    ("query", "field"), [("sort=name", "sort"), ("limit=1&limit=2", "limit"), ("Limit=1", "Limit")]
)
async def test_a_parameter_that_is_unknown_or_doubled_is_refused_by_name(
    members: Members, query: str, field: str
) -> None:
    reply = await members.client.get(f"/clusters?{query}", headers=OPERATOR)
    assert refused(reply) == (422, "invalid-request", field)


# --- who calls


def tokens() -> dict[str, list[str]]:
    """Authorization headers that are good for nothing."""
    good = factories.token(Role.operator)
    head, claims, signature = good.split(".")
    public = factories.ISSUER.jwks()["keys"][0]
    payload = json.loads(base64.urlsafe_b64decode(claims + "=="))
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    hmac = jwt.encode({"alg": "HS256", "kid": public["kid"]}, payload, OctKey.import_key(json.dumps(public)))
    own = Issuer(ECKey.generate_key("P-256"), issuer="http://issuer.test", audience="kei")
    operator = Principal("eve", frozenset({Role.operator}))
    return {
        "nothing": [],
        "empty": [""],
        "no token": ["Bearer "],
        "another scheme": ["Basic b3BlcmF0b3I6"],
        "rubbish": ["Bearer x"],
        "an API key": ["Bearer kei_00000000_" + "0" * 43],
        "algorithm none": [f"Bearer {none}.{claims}."],
        "signed with the public key": [f"Bearer {hmac}"],
        "signed by another": [f"Bearer {own.token(operator)}"],
        "signature cut off": [f"Bearer {head}.{claims}."],
        "signature of something else": [f"Bearer {head}.{claims[:-2]}AA.{signature}"],
        "expired": [f"Bearer {factories.ISSUER.token(operator, timedelta(minutes=-1))}"],
        "8 kB": [f"Bearer {good}{'A' * 8192}"],
        "two": [f"Bearer {good}", f"Bearer {good}"],
    }


async def test_without_a_good_token_there_is_one_answer_for_all(members: Members) -> None:
    answers = {}
    for what, values in tokens().items():
        headers = [("Authorization", value) for value in values]
        reply = await members.client.get(f"/clusters/{members.cluster}", headers=headers)
        assert refused(reply) == (401, "unauthenticated", ""), what
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        answers[what] = {name: value for name, value in reply.json().items() if name != "request_id"}
    assert len({json.dumps(answer) for answer in answers.values()}) == 1


async def test_a_token_in_the_address_is_none(members: Members) -> None:
    reply = await members.client.get(f"/clusters?access_token={factories.token(Role.operator)}")
    assert refused(reply)[:2] == (401, "unauthenticated")


async def test_a_good_token_without_the_right_is_refused_otherwise(members: Members) -> None:
    associate = factories.signed_in(Role.associate, consortium=UUID(members.consortium))
    assert refused(await members.client.post("/consortia", json={}, headers=associate))[:2] == (403, "forbidden")
    without_consortium = factories.signed_in(Role.manager)
    assert refused(await members.client.get("/clusters", headers=without_consortium))[:2] == (403, "no-consortium")


# --- addresses and heads


async def test_a_bad_address_or_head_is_refused(members: Members) -> None:
    async def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        return refused(await members.client.request(method, path, headers={**OPERATOR, **headers}))

    assert await ask("/nothing") == (404, "not-found", "")
    assert await ask("/clusters/") == (404, "not-found", "")
    assert await ask("/clusters", "PATCH") == (405, "method-not-allowed", "")
    assert await ask("/clusters?limit=%00") == (400, "malformed-url", "")
    assert await ask("/frameworks/a%00b") == (400, "malformed-url", "")
    assert (await ask(f"/clusters?cursor={'x' * 4100}"))[0] == 414
    assert (await ask("/clusters", X="x" * 17_000))[0] == 431
    for odd in ("a\r\nb: c" + str(clock.new_id()), "short", "x" * 65, "sp ace in it"):
        reply = await members.client.get("/clusters", headers={**OPERATOR, "X-Request-ID": odd})
        assert UUID(reply.headers["X-Request-ID"]).version == 7
