"""Sign-in: accepted tokens, and the messages of refusals."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from urllib.parse import urlencode

import httpx2
import pytest
from joserfc.jwk import ECKey

from services.console import main as console
from shared.auth import Issuer, KeySource, Principal, Role, Verifier
from tests.services.console.actions import HERE, Person, text
from tests.services.console.world import ISSUER, SERVICES, Create, World, world

OPERATOR = Principal("anna", frozenset({Role.operator}))
POSTS = ("/operations/retry", "/operations/discard")
OTHERS: dict[str, Mapping[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour": {"Sec-Fetch-Site": "same-site"},
    "nobody says who": {},
    "another origin": {"Origin": "https://evil.test"},
    "no origin": {"Origin": "null"},
    "the same host over https": {"Origin": "https://127.0.0.1"},
}


@pytest.fixture
async def alone(service_database: Create) -> AsyncIterator[World]:
    """The console, and no service."""
    async with world(service_database, without=SERVICES) as running:
        yield running


def forged() -> str:
    other = Issuer(ECKey.generate_key("P-256"), issuer=ISSUER, audience="kei")
    return other.token(OPERATOR)


async def test_a_token_is_kept_in_a_cookie_that_only_this_site_gets(alone: World) -> None:
    visitor = Person(alone)
    page = await visitor.get("/sign-in")
    assert "There is no sign-in by mail yet" in text(page.text)
    token = Person(alone, Role.operator).token
    broken = f" {token[:50]}\r\n{token[50:]} "  # as it comes out of a narrow terminal
    reply = await visitor.post("/sign-in", [("token", broken)])
    assert (reply.status_code, reply.headers["location"]) == (303, "/operations")
    assert reply.headers["set-cookie"] == f"kei={token}; HttpOnly; Path=/; SameSite=lax"
    reply = await visitor.post("/sign-in", [("token", token)], {**HERE, "X-Forwarded-Proto": "https"})
    assert reply.headers["set-cookie"] == f"__Host-kei={token}; HttpOnly; Path=/; SameSite=lax; Secure"


async def test_each_cookie_counts_only_where_it_is_given(alone: World) -> None:
    token = Person(alone, Role.operator).token
    for cookie, more, status in [
        (f"kei={token}", {}, 200),
        (f"kei={token}", {"X-Forwarded-Proto": "https"}, 303),
        (f"__Host-kei={token}", {"X-Forwarded-Proto": "https"}, 200),
        (f"__Host-kei={token}", {}, 303),
        (f"kei={token}", {"Host": "kei.test"}, 303),
    ]:
        page = await alone.http.get(f"{alone.url}/operations", headers={"Cookie": cookie, **more})
        assert page.status_code == status, (cookie[:12], more)


async def test_in_the_clear_nobody_signs_in(alone: World) -> None:
    visitor, host = Person(alone), {"Host": "kei.test"}
    page = await alone.http.get(f"{alone.url}/sign-in", headers={"Accept": "text/html", **host})
    assert "needs https here" in page.text
    assert "<input" not in page.text
    refused = await visitor.post("/sign-in", [("token", Person(alone, Role.operator).token)], {**HERE, **host})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("what", ["expired", "forged", "cut", "nothing", "too long"])
async def test_a_token_that_is_of_no_use_is_refused_in_a_sentence(alone: World, what: str) -> None:
    tokens = {
        "expired": alone.issuer.token(OPERATOR, timedelta(minutes=-5)),
        "forged": forged(),
        "cut": alone.issuer.token(OPERATOR)[:-9],
        "nothing": "",
        "too long": "x" * 4000,
    }
    page = await Person(alone).post("/sign-in", [("token", tokens[what])])
    assert page.status_code in {400, 401}
    assert "set-cookie" not in page.headers
    messages = {"nothing": "Paste a token first", "too long": "longer than 3800 characters"}
    assert messages.get(what, "has expired, is incomplete, or belongs to another Kei") in text(page.text)
    assert 'role="alert"' in page.text
    assert tokens[what] == "" or tokens[what] not in page.text


async def test_who_is_not_signed_in_is_sent_to_do_so(alone: World) -> None:
    discard = "/operations/discard?service=matching"
    for send, returns_to in (
        (Person(alone).get("/operations"), "&next=%2Foperations"),
        (Person(alone).get(discard), "&next=%2Foperations%2Fdiscard%3Fservice%3Dmatching"),
        (Person(alone).post(POSTS[0], []), ""),
        (Person(alone).post(POSTS[1], []), ""),
    ):
        reply = await send
        assert (reply.status_code, reply.headers["location"]) == (303, f"/sign-in?because=needed{returns_to}")
        assert "set-cookie" not in reply.headers, "a link of another site may come without the cookie"
    assert "Sign in to go on" in (await Person(alone).get("/sign-in?because=needed")).text


@pytest.mark.parametrize("what", ["expired", "forged"])
async def test_a_sign_in_that_has_ended_begins_anew(alone: World, what: str) -> None:
    person = Person(alone)
    person.token = forged() if what == "forged" else alone.issuer.token(OPERATOR, timedelta(minutes=-5))
    reply = await person.get("/operations")
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in?because=ended&next=%2Foperations")
    assert reply.headers["set-cookie"].startswith('kei=""; ')
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert "Your sign-in has ended" in (await Person(alone).get("/sign-in?because=ended")).text
    assert "Sign out" not in (await person.get("/")).text


async def test_the_services_have_the_last_word_on_a_sign_in(service_database: Create) -> None:
    other = Issuer(ECKey.generate_key("P-256"), issuer=ISSUER, audience="kei")
    verifier = Verifier(issuer=ISSUER, audience="kei", keys=KeySource.of(other.jwks()))
    async with world(service_database, without=("trainings", "matching", "notifications")) as running:
        app = console.build(f"{running.url}/api", lambda: running.token, verifier)
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            reply = await client.get("/operations", headers={"Cookie": f"kei={other.token(OPERATOR)}"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in?because=ended&next=%2Foperations")


async def test_after_signing_in_the_page_asked_for_is_shown(alone: World) -> None:
    visitor, token = Person(alone), Person(alone, Role.manager).token
    form = await visitor.get("/sign-in?because=needed&next=%2Fpairs%3Fconsortium%3Dtwo")
    assert '<input type="hidden" name="next" value="/pairs?consortium=two">' in form.text
    again = await visitor.post("/sign-in", [("token", "x"), ("next", "/pairs")])
    assert '<input type="hidden" name="next" value="/pairs">' in again.text
    reply = await visitor.post("/sign-in", [("token", token), ("next", "/pairs?consortium=two")])
    assert (reply.status_code, reply.headers["location"]) == (303, "/pairs?consortium=two")


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "/pairs\\..",
        "/\t/evil.test",
        "/\n/evil.test",
        "javascript:alert(1)",
        "evil",
        " /pairs",
        "/é",
        "/" + "x" * 600,
    ],
)
async def test_signing_in_leads_to_no_other_site(alone: World, address: str) -> None:
    visitor = Person(alone)
    assert 'name="next"' not in (await visitor.get(f"/sign-in?{urlencode({'next': address})}")).text
    reply = await visitor.post("/sign-in", [("token", Person(alone, Role.manager).token), ("next", address)])
    assert (reply.status_code, reply.headers["location"]) == (303, "/")


async def test_other_roles_are_turned_away_on_a_page(alone: World) -> None:
    manager = Person(alone, Role.manager)
    reply = await manager.post("/sign-in", [("token", manager.token)])
    assert reply.headers["location"] == "/"
    for send in (manager.get("/operations"), manager.post(POSTS[0], []), manager.post(POSTS[1], [])):
        page = await send
        assert page.status_code == 403
        assert "You are signed in as anna. This page is for operators." in text(page.text)
        assert '<li><a href="/operations"' not in page.text
        assert "Sign out" in page.text


@pytest.mark.parametrize("caller", OTHERS)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", *POSTS])
async def test_forms_of_other_sites_do_nothing(alone: World, path: str, caller: str) -> None:
    operator = Person(alone, Role.operator)
    page = await operator.post(path, [("token", operator.token)], OTHERS[caller])
    assert page.status_code == 403
    assert "was not sent from a page of Kei" in page.text
    assert "set-cookie" not in page.headers


async def test_an_older_browser_says_its_origin(alone: World) -> None:
    operator = Person(alone, Role.operator)
    assert (await operator.post("/sign-out", [], {"Origin": alone.url})).status_code == 303
    secure = {"Origin": alone.url.replace("http:", "https:"), "X-Forwarded-Proto": "https"}
    assert (await operator.post("/sign-out", [], secure)).status_code == 303


async def test_who_signs_out_is_signed_out(alone: World) -> None:
    operator = Person(alone, Role.operator)
    page = text((await operator.get("/")).text)
    assert "Operations Sign out" in page
    assert "Sign in" not in page
    reply = await operator.post("/sign-out", [])
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert "Max-Age=0" in reply.headers["set-cookie"]
    page = text((await Person(alone).get("/")).text)
    assert "Operations" not in page
    assert "Sign in" in page


async def test_forms_are_small_and_of_one_kind(alone: World) -> None:
    operator = Person(alone, Role.operator)
    assert (await operator.post("/sign-in", [("token", "x" * 17_000)])).status_code == 413
    assert (await operator.post("/sign-in", [("tokens", "x")])).status_code == 400
    reply = await alone.http.post(f"{alone.url}/sign-in", json={"token": operator.token}, headers=HERE)
    assert reply.status_code == 415
