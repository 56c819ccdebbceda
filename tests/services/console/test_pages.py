import asyncio
import re

import pytest

from services.console.api.public_client import PublicClient
from services.console.pages.feed import live_rows
from shared.auth import Role
from shared.web import Drain
from tests.services.console.actions import Person
from tests.services.console.world import Create, World, world

PAGES = ("/", "/clusters/innoskart", "/trainings", "/pairs", "/mentorships", "/ledger", "/next", "/feed")
WITHOUT_MARKS = {"/pairs", "/mentorships", "/ledger", "/next", "/feed"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def text(html: str) -> str:
    """What a reader sees, without the raw events."""
    html = re.sub(r"<pre.*?</pre>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.timeout(60)
async def test_the_pages_tell_the_story(story: World) -> None:
    texts = {path: text((await story.page(path)).text) for path in PAGES}
    assert "Seven clusters from seven countries" in texts["/"]
    assert "One activity" in texts["/"]
    assert "16 November 2016 – 15 November 2018" in texts["/"]
    assert "20 July 2006" in texts["/clusters/innoskart"]
    assert "Expert assessment, 12 October 2026" in texts["/clusters/innoskart"]
    assert "No mentorship as mentor is confirmed yet." in texts["/clusters/innoskart"]
    assert "28–29 June 2017" in texts["/trainings"]
    assert "Waiting list, in order" in texts["/trainings"]
    for path in ("/", "/clusters/innoskart", "/trainings"):
        assert "Full, waiting list open" in texts[path], path
        assert "Open for registration" not in texts[path].split("What happened")[0], path
    assert "of 100" in texts["/pairs"]
    assert "For the request of Cluster for Energy Efficiency for help with market foresight" in texts["/pairs"]
    assert re.search(r"said yes; \S.* said yes", texts["/pairs"])
    assert "asks for help with market foresight" in texts["/feed"]
    assert re.search(r"Active 1 .* Plan the next meeting; it is due on", texts["/mentorships"])
    assert re.search(
        r"D\.A\.Re\. Distretto Agroalimentare Regionale taught INNOSKART .* Joint training", texts["/ledger"]
    )
    assert "Join Study visit to a digital cluster 9 March 2027" in texts["/next"]
    assert "Needed by several, offered by none" in texts["/next"]
    for path, words in texts.items():
        assert not UUID.search(words), path
        assert "illustrative" in words or path in WITHOUT_MARKS, path


@pytest.mark.timeout(60)
async def test_pages_are_safe_and_names_are_escaped(story: World) -> None:
    cluster = await story.get(f"members/clusters/{story.ids['agroco']}")
    names = ("slug", "country", "region", "founded_on", "website", "ecosystems", "languages", "value_chain_stages")
    facts = {name: cluster[name] for name in names}
    facts |= {"name": "<script>alert(1)</script>", "specialisation": "\"><img src=x onerror='alert(1)'>"}
    await story.put(f"members/clusters/{cluster['id']}", {**facts, "label": "bronze"}, version=cluster["version"])
    await story.settled()
    for path in (*PAGES, "/clusters/agroco"):
        page = await story.page(path)
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        assert "<script>alert" not in page.text, path
        assert "<img" not in page.text, path
        assert " style=" not in page.text, path


@pytest.mark.timeout(60)
async def test_the_feed_has_no_gap_by_pages_nor_by_stream(story: World) -> None:
    newest = (await story.page("/feed")).text
    older = re.search(r'href="/feed\?before=(\d+)">Older', newest)
    assert older
    page = (await story.page(f"/feed?before={older[1]}")).text
    positions = [int(position) for position in re.findall(r'id="event-(\d+)"', newest + page)]
    assert positions == list(range(positions[0], 0, -1))
    assert re.search(r'href="/feed">Newer', page)
    address = f"{story.url}/feed/stream?after=0"
    async with story.http.sse(address, headers={"Last-Event-ID": "3"}) as stream:
        first = await anext(event async for event in stream if event.data)
    assert first.id == "4"
    assert first.data.startswith('<li class="event" id="event-4" ')


async def test_the_stream_ends_when_the_process_is_about_to(service_database: Create) -> None:
    async with world(service_database, without=("members", "trainings", "matching")) as running:
        api, drain = PublicClient(f"{running.url}/api", lambda: running.token), Drain()
        rows = live_rows(api, 0, drain)
        assert (await anext(rows)).startswith("retry:")
        ending = asyncio.ensure_future(anext(rows, None))
        drain.begin()
        assert await asyncio.wait_for(ending, 5) is None
        await api.close()


@pytest.mark.parametrize(
    ("path", "status", "message"), [("/nothing", 404, "no such page"), ("/?what=1", 422, "does not fit")]
)
async def test_refusals_are_pages_for_people_and_problems_for_programs(
    service_database: Create, path: str, status: int, message: str
) -> None:
    async with world(service_database, without=("members", "trainings", "matching", "notifications")) as running:
        page = await running.page(path)
        assert page.status_code == status
        assert message in page.text
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        problem = await running.http.get(f"{running.url}{path}")
        assert problem.headers["content-type"] == "application/problem+json"


async def test_with_all_services_away_the_pages_say_so(service_database: Create) -> None:
    async with world(service_database, without=("members", "trainings", "matching", "notifications")) as running:
        for path in ("/", "/trainings", "/pairs", "/mentorships", "/ledger", "/next", "/feed"):
            page = await running.page(path)
            assert page.status_code == 200, path
            assert "Part of this page is missing." in page.text, path
        page = await running.page("/clusters/innoskart")
        assert page.status_code == 503
        assert page.headers["retry-after"] == "5"
        assert "Not available just now" in page.text
        assert (await running.http.get(f"{running.url}/livez")).status_code == 200
        assert (await running.http.get(f"{running.url}/readyz")).status_code == 200


async def test_a_service_that_is_away_costs_its_part_only(service_database: Create) -> None:
    async with world(service_database, without=("trainings", "matching", "notifications")) as running:
        await _consortium(running, "one")
        page = (await running.page("/")).text
        assert "Consortium one" in page
        assert "trainings and visits, pairs and mentorships and the feed" in page


async def test_of_several_consortia_one_is_chosen(service_database: Create) -> None:
    async with world(service_database) as running:
        assert "No consortium has been added yet" in (await running.page("/")).text
        next_steps = (await running.page("/next")).text
        assert "No clusters yet" in next_steps
        assert "Every target is reached" not in next_steps
        await _consortium(running, "one")
        assert "Consortium one" in (await running.page("/")).text
        await _consortium(running, "two")
        choice = (await running.page("/pairs")).text
        assert 'href="/pairs?consortium=one"' in choice
        chosen = (await running.page("/pairs?consortium=two")).text
        assert 'href="/trainings?consortium=two"' in chosen
        assert (await running.page("/?consortium=three")).status_code == 404


async def test_without_a_choice_a_page_is_about_the_users_own_consortium(service_database: Create) -> None:
    async with world(service_database) as running:
        await _consortium(running, "one")
        running.ids["consortium"] = await _consortium(running, "two")
        for role in (Role.manager, Role.coordinator):
            person = Person(running, role, cluster="0190f3a0-0000-7000-8000-000000000001")
            for path in ("/", "/trainings", "/pairs?done=accept", "/mentorships", "/ledger", "/next", "/feed"):
                page = (await person.get(path)).text
                assert "Which consortium?" not in page, path
                assert 'href="/trainings?consortium=two"' in page, path
            assert "You have said yes" in (await person.get("/pairs?done=accept")).text
            assert 'href="/trainings?consortium=one"' in (await person.get("/pairs?consortium=one")).text
        coordinator = Person(running, Role.coordinator, cluster="0190f3a0-0000-7000-8000-000000000001")
        assert 'href="/desk?consortium=two"' in (await coordinator.get("/desk")).text
        assert "Which consortium?" in (await Person(running, Role.operator).get("/pairs")).text


@pytest.mark.timeout(60)
async def test_two_frameworks_of_a_cluster_have_two_names(story: World) -> None:
    assert _section_titles((await story.page("/clusters/agroco")).text) == ["Levels and targets"]
    framework = {"code": "digital", "title": "Digital maturity", "scale_max": 5}
    await story.post("members/frameworks", {**framework, "indicators": [{"code": "data", "title": "Data"}]})
    target = {"level": 4, "priority": 2, "illustrative": False}
    await story.put(f"members/clusters/{story.ids['agroco']}/targets/digital/data", target)
    titles = _section_titles((await story.page("/clusters/agroco")).text)
    expected = ["Levels and targets: Digital maturity", "Levels and targets: Self-check of eight areas"]
    assert sorted(titles) == expected


def _section_titles(html: str) -> list[str]:
    return re.findall(r'<h2 id="levels-\d+">([^<]*)</h2>', html)


async def test_the_consortium_chosen_last_stays_chosen(service_database: Create) -> None:
    async with world(service_database, without=("trainings", "matching", "notifications")) as running:
        await _consortium(running, "one")
        assert "set-cookie" not in (await running.page("/?consortium=one")).headers, "there is no choice"
        await _consortium(running, "two")
        assert "set-cookie" not in (await running.page("/")).headers
        chosen = await running.page("/pairs?consortium=two")
        assert chosen.headers["set-cookie"] == "kei-consortium=two; HttpOnly; Path=/; SameSite=lax"
        for cookie, expected in (("two", 'href="/trainings?consortium=two"'), ("gone", "Which consortium?")):
            headers = {"Accept": "text/html", "Cookie": f"kei-consortium={cookie}"}
            assert expected in (await running.http.get(f"{running.url}/trainings", headers=headers)).text


@pytest.mark.timeout(60)
async def test_home_and_mentorship_are_of_one_consortium(story: World) -> None:
    running = story
    other = await _consortium(running, "other")
    body = {"consortium_id": other, "slug": "lone", "name": "Lone Cluster", "country": "FI", "label": "none"}
    lists = {"ecosystems": ["digital"], "languages": ["en"], "value_chain_stages": []}
    await running.post("members/clusters", {**body, **lists, "mentor_capacity": 1, "learner_capacity": 1})
    await running.settled()
    sentence = "Lone Cluster from Finland joined."
    assert sentence in text((await running.page("/?consortium=other")).text)
    own = text((await running.page("/?consortium=trace-kei")).text)
    assert sentence not in own
    assert "will teach" in own or "begin to work together" in own or "met on" in own
    for query in ("", "?consortium=other"):
        page = await running.page(f"/mentorships/{running.ids['mentorship']}{query}")
        assert page.status_code == 200
        assert 'href="/mentorships?consortium=trace-kei"' in page.text


async def test_static_files_may_be_kept_and_nothing_else_is_served(
    service_database: Create,
) -> None:
    async with world(service_database, without=("members", "trainings", "matching", "notifications")) as running:
        page = (await running.page("/")).text
        for path in re.findall(r'href="(/static/[^"]+)"', page):
            file = await running.http.get(f"{running.url}{path}")
            assert file.status_code == 200
            assert "immutable" in file.headers["cache-control"]
        for path in ("/static/x/main.py", "/static/x/..%2fmain.py", "/static/x/"):
            assert (await running.http.get(f"{running.url}{path}")).status_code == 404


async def _consortium(running: World, slug: str) -> str:
    """The id of a new consortium."""
    dates = {"starts_on": "2026-01-01", "ends_on": "2027-12-31"}
    body = {"slug": slug, "name": f"Consortium {slug}", "programme": "P", **dates}
    return str((await running.post("members/consortia", body))["id"])
