"""Tokens, keys and rights: what is let in, and that everything else gets one and the same answer."""

import asyncio
import base64
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared.auth import ApiKey, Issuer, KeySource, Principal, Role, StoredKey, Verifier
from shared.auth.apikeys import digest, matching, prefix_of
from shared.errors import Unauthenticated

NOW = datetime(2026, 6, 28, 9, tzinfo=UTC)
KEY = ECKey.generate_key("P-256")
ISSUER = Issuer(KEY, issuer="https://issuer.test", audience="kei", now=lambda: NOW)
JWKS = ISSUER.jwks()
KID = JWKS["keys"][0]["kid"]
ANN = Principal("ann", frozenset({Role.manager}), UUID(int=1), UUID(int=2), None)
A, B, C, D = (UUID(int=number) for number in (1, 2, 3, 4))


def verifier(now: datetime = NOW) -> Verifier:
    return Verifier(issuer="https://issuer.test", audience="kei", keys=KeySource.of(JWKS), now=lambda: now)


def claims(**changes: Any) -> dict[str, Any]:
    moment = int(NOW.timestamp())
    good = {"iss": "https://issuer.test", "aud": "kei", "sub": "ann", "roles": ["manager"], "exp": moment + 60}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def signed(header: dict[str, Any] | None = None, key: ECKey | OctKey = KEY, **changes: Any) -> str:
    head = {"alg": "ES256", "kid": KID} | (header or {})
    return jwt.encode({k: v for k, v in head.items() if v is not ...}, claims(**changes), key, algorithms=[head["alg"]])


def raw(header: object, payload: object = None, signature: bytes = b"") -> str:
    def part(value: object) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"{part(header)}.{part(payload or claims())}.{part(signature)}"


async def test_a_token_comes_back_as_its_principal() -> None:
    assert await verifier().verify(ISSUER.token(ANN)) == ANN
    several = signed(aud=["other", "kei"], nbf=int(NOW.timestamp()) + 20, roles=["manager", "astronaut"])
    assert (await verifier().verify(several)).roles == {Role.manager}


MOMENT = int(NOW.timestamp())
BAD: dict[str, Callable[[], str]] = {
    "alg none": lambda: raw({"alg": "none", "kid": KID}),
    "HS256 with the public key": lambda: signed(
        {"alg": "HS256"}, OctKey.import_key(json.dumps(JWKS["keys"][0])), exp=MOMENT + 60
    ),
    "unknown kid": lambda: signed({"kid": "other"}),
    "path as kid": lambda: signed({"kid": "../../etc/passwd"}),
    "SQL as kid": lambda: signed({"kid": "' OR 1=1 --"}),
    "no kid": lambda: signed({"kid": ...}),
    "kid is a number": lambda: raw({"alg": "ES256", "kid": 1}),
    "jku": lambda: raw({"alg": "ES256", "kid": KID, "jku": "http://evil.test"}),
    "x5u": lambda: raw({"alg": "ES256", "kid": KID, "x5u": "http://evil.test"}),
    "crit": lambda: raw({"alg": "ES256", "kid": KID, "crit": ["exp"]}),
    "own key in the header": lambda: raw({"alg": "ES256", "kid": KID, "jwk": JWKS["keys"][0]}),
    "other type": lambda: signed({"typ": "dpop+jwt"}),
    "no exp": lambda: signed(exp=...),
    "exp as text": lambda: signed(exp=str(MOMENT + 60)),
    "exp as float": lambda: signed(exp=MOMENT + 60.5),
    "exp true": lambda: signed(exp=True),
    "expired": lambda: signed(exp=MOMENT - 31),
    "not yet": lambda: signed(nbf=MOMENT + 31),
    "made in the future": lambda: signed(iat=MOMENT + 31),
    "other issuer": lambda: signed(iss="https://issuer.test/"),
    "other audience": lambda: signed(aud="kei2"),
    "no audience": lambda: signed(aud=...),
    "audience is a dict": lambda: signed(aud={"kei": 1}),
    "no subject": lambda: signed(sub=...),
    "empty subject": lambda: signed(sub=""),
    "NUL in the subject": lambda: signed(sub="a\0"),
    "no roles": lambda: signed(roles=...),
    "roles as text": lambda: signed(roles="operator"),
    "role is a list": lambda: signed(roles=[["operator"]]),
    "cluster is no id": lambda: signed(cluster="seven"),
    "cluster is a number": lambda: signed(cluster=7),
    "signed by another key": lambda: signed(key=ECKey.generate_key("P-256")),
    "changed claims": lambda: ".".join(
        [signed().split(".")[0], raw({}, claims(sub="eve")).split(".")[1], signed().split(".")[2]]
    ),
    "no signature": lambda: signed().rsplit(".", 1)[0] + ".",
    "too long": lambda: signed(note="x" * 9000),
    "two parts": lambda: "a.b",
    "not base64": lambda: "\u00e9.b.c",
    "header is a list": lambda: raw([]),
    "header is deep": lambda: raw(b"[" * 5000),
    "claims are a list": lambda: raw({"alg": "ES256", "kid": KID}, [1]),
    "nothing": lambda: "",
}


@pytest.mark.parametrize("name", BAD)
async def test_every_fault_gets_the_same_answer(name: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier().verify(BAD[name]())
    assert caught.value.slug == "unauthenticated"
    assert caught.value.message == "Sign in first: no valid credential came with the request."


async def test_clocks_may_differ_by_half_a_minute() -> None:
    token = ISSUER.token(ANN, timedelta(seconds=60))
    assert await verifier(NOW + timedelta(seconds=89)).verify(token) == ANN
    assert await verifier(NOW - timedelta(seconds=30)).verify(token) == ANN
    with pytest.raises(Unauthenticated):
        await verifier(NOW + timedelta(seconds=90)).verify(token)


async def test_a_token_that_was_good_once_is_judged_anew_each_time() -> None:
    token, now = ISSUER.token(ANN, timedelta(seconds=60)), NOW
    seen = Verifier(issuer="https://issuer.test", audience="kei", keys=KeySource.of(JWKS), now=lambda: now)
    for _ in range(2):
        assert await seen.verify(token) == ANN
    with pytest.raises(Unauthenticated):
        await Verifier(issuer="https://issuer.test", audience="other", keys=KeySource.of(JWKS)).verify(token)
    other = Issuer(ECKey.generate_key("P-256"), issuer="i", audience="a").jwks()["keys"][0]
    renamed = KeySource.of({"keys": [other | {"kid": KID}]})
    with pytest.raises(Unauthenticated):
        await Verifier(issuer="https://issuer.test", audience="kei", keys=renamed, now=lambda: NOW).verify(token)
    now += timedelta(seconds=90)
    with pytest.raises(Unauthenticated):
        await seen.verify(token)


class Shelf:
    """A source of keys that counts how often it is asked."""

    def __init__(self) -> None:
        self.jwks: dict[str, Any] | Exception = JWKS
        self.fetches = 0
        self.now = NOW
        self.keys = KeySource(self._fetch, now=lambda: self.now)

    async def _fetch(self) -> bytes:
        self.fetches += 1
        if isinstance(self.jwks, Exception):
            raise self.jwks
        return json.dumps(self.jwks).encode()


async def test_unknown_keys_are_asked_for_at_most_once_a_minute() -> None:
    shelf = Shelf()
    assert await shelf.keys.key(KID)
    await asyncio.gather(*(shelf.keys.key(f"unknown {number}") for number in range(50)))
    assert shelf.fetches == 1
    shelf.now += timedelta(minutes=1)
    new = Issuer(ECKey.generate_key("P-256"), issuer="i", audience="a").jwks()["keys"][0]
    shelf.jwks = {"keys": [*JWKS["keys"], new]}
    assert await shelf.keys.key(new["kid"])
    assert shelf.fetches == 2


async def test_a_withdrawn_key_is_dropped_within_an_hour_but_an_outage_drops_none() -> None:
    shelf = Shelf()
    assert await shelf.keys.key(KID)
    shelf.now += timedelta(hours=1, seconds=1)
    shelf.jwks = httpx2.ConnectError("away")
    assert await shelf.keys.key(KID)
    shelf.now += timedelta(seconds=5)
    shelf.jwks = {"keys": []}
    assert await shelf.keys.key(KID) is None


async def test_a_source_that_never_answered_is_an_outage() -> None:
    shelf = Shelf()
    for fault in (httpx2.ConnectError("away"), ValueError("not JSON"), FileNotFoundError("jwks.json")):
        shelf.jwks = fault
        with pytest.raises(ConnectionError):
            await shelf.keys.key(KID)
        shelf.now += timedelta(seconds=5)
    shelf.jwks = JWKS
    assert await shelf.keys.key(KID)


async def test_a_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "issuer.json"
    first = Issuer.load(path, issuer="i", audience="a")
    second = Issuer.load(path, issuer="i", audience="a")
    assert first.jwks() == second.jwks()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["issuer.json"]
    assert "d" not in first.jwks()["keys"][0]
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="only its owner"):
        Issuer.load(path, issuer="i", audience="a")


async def test_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(JWKS))
    keys = KeySource.at(str(path))
    reader = Verifier(issuer="https://issuer.test", audience="kei", keys=keys, now=lambda: NOW)
    assert (await reader.verify(signed())).subject == "ann"


def test_api_keys_are_found_by_prefix_and_known_by_hash() -> None:
    first, second = ApiKey.new(), ApiKey.new()
    assert first.plain.startswith("kei_")
    assert prefix_of(first.plain) == first.prefix
    assert first.plain not in str((first.prefix, first.hash))
    stored = [StoredKey(first.hash, A), StoredKey(second.hash, B)]
    assert matching(first.plain, stored) == stored[0]
    assert matching(second.plain, stored) == stored[1]
    assert matching(first.plain + "x", stored) is None
    assert digest(first.plain) == first.hash
    for bad in (
        "",
        "kei_",
        "kei_short_x",
        first.plain[:20],
        "KEI" + first.plain[3:],
        first.plain + " ",
        first.plain + "\n",
    ):
        assert prefix_of(bad) is None


@pytest.mark.parametrize(
    ("caller", "within", "speaks"),
    [
        (Principal("o", frozenset({Role.operator})), True, True),
        (Principal("s", frozenset({Role.service})), True, False),
        (Principal("c", frozenset({Role.coordinator}), consortium=A), True, True),
        (Principal("c", frozenset({Role.coordinator}), consortium=C), False, False),
        (Principal("m", frozenset({Role.manager}), consortium=A, cluster=B), True, True),
        (Principal("m", frozenset({Role.manager}), consortium=A, cluster=D), True, False),
        (Principal("m", frozenset({Role.manager}), consortium=C, cluster=B), False, False),
        (Principal("a", frozenset({Role.associate}), consortium=A, cluster=B), True, False),
        (Principal("p", frozenset({Role.partner}), partner=A), False, False),
        (Principal("n", frozenset()), False, False),
    ],
)
def test_scopes(caller: Principal, within: bool, speaks: bool) -> None:  # noqa: FBT001
    assert caller.within(A) is within
    assert caller.speaks_for(B, A) is speaks
