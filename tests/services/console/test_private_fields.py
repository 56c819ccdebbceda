"""Who may see which field of a page: `page_fields.toml` lists all fields; seven callers look at the private ones."""

import tomllib
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest

from services.console.request.private_fields import may_read_event
from services.console.request.session import SignedInUser
from shared import clock
from shared.auth import Principal, Role
from tests.services.console.actions import Person, text
from tests.services.console.page_fields import shown_fields
from tests.services.console.world import World

TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(Path(__file__).with_name("page_fields.toml").read_text())
AUDIENCES = {"anybody", "sides", "coordinators", "operators"}
REQUEST_TEXT = "We want to see five years ahead in heating"
REASON = "Our expert has moved to another firm."
PAYLOAD = "specversion"
PROBED = {
    ("_feed_row.html", "row.raw"),
    ("cluster.html", "row.request.text"),
    ("mentorship.html", "mentorship.agreement"),
    ("mentorship.html", "mentorship.reason"),
    ("mentorship.html", "health_chart"),
    ("mentorship.html", "health_parts"),
    ("mentorship.html", "bar.shade"),
    ("mentorship.html", "part.points"),
    ("mentorship.html", "part.of"),
    ("mentorship.html", "part.reason"),
}
"""The private fields that the tests of this file look for."""


def test_every_field_of_every_template_has_an_audience() -> None:
    listed = {template: sorted(name for names in rows.values() for name in names) for template, rows in TABLE.items()}
    assert listed == {template: sorted(names) for template, names in shown_fields().items()}
    assert {audience for rows in TABLE.values() for audience in rows} <= AUDIENCES


def test_every_private_field_is_looked_for() -> None:
    private = {(template, name) for template, rows in TABLE.items() for name in rows.get("sides", [])}
    assert private == PROBED


def callers(story: World, own: str, other: str) -> dict[str, tuple[Person, bool]]:
    """The callers, and whether they may read the private fields that concern the cluster `own`."""
    foreign = Person(story, Role.coordinator)
    principal = Principal("otto", frozenset({Role.coordinator, Role.manager}), UUID(int=1), UUID(own))
    foreign.token = story.issuer.token(principal)
    return {
        "nobody": (Person(story), False),
        "manager of another cluster": (Person(story, Role.manager, cluster=other), False),
        "associate of the cluster": (Person(story, Role.associate, cluster=own), False),
        "coordinator of another consortium": (foreign, False),
        "manager of the cluster": (Person(story, Role.manager, cluster=own), True),
        "coordinator": (Person(story, Role.coordinator, cluster=other), True),
        "operator": (Person(story, Role.operator), True),
    }


async def seen(person: Person, path: str, words: Mapping[str, str]) -> set[str]:
    """The names of the words that are on the page."""
    reply = await person.get(path)
    assert reply.status_code == 200, path
    page = text(reply.text)
    return {name for name, word in words.items() if " ".join(unescape(word).split()) in page}


async def outsider(story: World, mentorship: Mapping[str, object]) -> str:
    """A cluster that is neither side of the mentorship."""
    sides = {mentorship["mentor_id"], mentorship["learner_id"]}
    return next(story.ids[slug] for slug in ("dare", "cluee", "agroco") if story.ids[slug] not in sides)


@pytest.mark.timeout(60)
async def test_agreement_health_parts_and_reason_are_for_the_two_sides(story: World) -> None:
    path = f"matching/mentorships/{story.ids['mentorship']}"
    shown = await story.get(path)
    people = callers(story, shown["learner_id"], await outsider(story, shown))
    words = {"agreement": shown["agreement"], **{part["part"]: part["reason"] for part in shown["health_parts"]}}
    assert len(words) == 6
    for caller, (person, allowed) in people.items():
        expected = set(words) if allowed else set()
        assert await seen(person, f"/mentorships/{shown['id']}", words) == expected, caller
        public = {"health": f"{shown['health']} of 100", "goals": "Goals", "meetings": "90 minutes"}
        assert await seen(person, f"/mentorships/{shown['id']}", public) == set(public), caller
    await story.post(f"{path}/ending", {"side": "learner", "how": "early", "reason": REASON}, version=shown["version"])
    for caller, (person, allowed) in people.items():
        expected = {"reason"} if allowed else set()
        assert await seen(person, f"/mentorships/{shown['id']}", {"reason": REASON}) == expected, caller
        assert await seen(person, f"/mentorships/{shown['id']}", {"end": "Ended on"}) == {"end"}, caller


@pytest.mark.timeout(60)
async def test_the_text_of_a_request_is_for_its_cluster_and_the_mentors_asked(story: World) -> None:
    pairs = (await story.get("matching/pairs?limit=100"))["items"]
    asked = {pair["mentor_id"] for pair in pairs if pair["request_id"] and pair["state"] in {"proposed", "accepted"}}
    assert asked
    own = story.ids["cluee"]
    known = (story.ids[slug] for slug in ("dare", "innoskart", "agroco", "biomastec", "madan-parque"))
    other = next(id for id in known if id not in asked)
    people = callers(story, own, other)
    people |= {f"mentor {id}": (Person(story, Role.manager, cluster=id), True) for id in asked}
    for caller, (person, allowed) in people.items():
        expected = {"text"} if allowed else set()
        assert await seen(person, "/clusters/cluee", {"text": REQUEST_TEXT}) == expected, caller
        assert await seen(person, "/clusters/cluee", {"urgency": "Requests for help"}) == {"urgency"}, caller


@pytest.mark.timeout(60)
async def test_payloads_of_the_feed_are_for_the_clusters_they_are_about(story: World) -> None:
    own, other = story.ids["cluee"], story.ids["agroco"]
    for caller, (person, allowed) in callers(story, own, other).items():
        rows = list(rows_of((await person.get("/feed")).text))
        assert len(rows) > 20
        payloads = [row for row in rows if PAYLOAD in row]
        if caller in {"coordinator", "operator"}:
            assert payloads == rows
        elif allowed:
            assert payloads
            assert all(own in row for row in payloads)
        else:
            assert not any(own in row and other not in row for row in payloads), caller
            assert caller == "manager of another cluster" or not payloads, caller


@pytest.mark.timeout(60)
async def test_the_live_feed_gives_payloads_to_those_who_may_read_them(story: World) -> None:
    for role, expected in ((None, False), (Role.operator, True)):
        person = Person(story, role) if role else Person(story)
        headers = {"Cookie": f"kei={person.token}"} if role else {}
        async with story.http.sse(f"{story.url}/feed/stream?after=0", headers=headers) as stream:
            first = await anext(event async for event in stream if event.data)
        assert (PAYLOAD in first.data) == expected


@pytest.mark.parametrize("data", [None, "text", {}, {"consortium_id": 7}, {"consortium_id": "none"}])
def test_an_event_without_a_consortium_is_for_operators(data: object) -> None:
    coordinator = SignedInUser(Principal("c", frozenset({Role.coordinator}), clock.new_id()), "")
    operator = SignedInUser(Principal("o", frozenset({Role.operator})), "")
    assert [may_read_event(user, {"data": data}) for user in (None, coordinator, operator)] == [False, False, True]


def rows_of(html: str) -> Iterator[str]:
    """The rows of the feed."""
    yield from html.split('<li class="event"')[1:]
