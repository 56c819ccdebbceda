"""The match desk: access, plans, what-ifs and publishing."""

import re
from uuid import UUID, uuid4

import pytest

from services.console.api.public_client import PublicClient
from services.console.pages import plan
from services.console.request.page_context import PageContext
from services.console.view import plan_diff, truncation
from shared.auth import Principal, Role
from tests.services.console.actions import Person, cluster, forms, text
from tests.services.console.world import World
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(60)


async def planned(desk: Person, world: World) -> str:
    """The path of a plan that was made on the page."""
    (fields,) = forms((await desk.get("/desk")).text, "/desk/runs")
    path = (await desk.post("/desk/runs", fields)).headers["location"]

    async def made() -> bool:
        run = await world.get(f"matching{path.removeprefix('/desk')}")
        return bool(run["run"]["state"] != "running")

    await eventually(made)
    return str(path)


async def test_it_is_for_coordinators_of_the_consortium(story: World) -> None:
    run = (await story.get("matching/runs"))["items"][0]["id"]
    paths = ("/desk", f"/desk/runs/{run}", "/desk/what-ifs/new")
    foreign = Person(story)
    foreign.token = story.issuer.token(Principal("far", frozenset({Role.coordinator}), uuid4()), foreign.LIFETIME)
    for path in paths:
        assert (await Person(story).get(path)).headers["location"].startswith("/sign-in?because=needed&next=%2Fdesk")
        refused = await Person(story, Role.manager, cluster=story.ids["dare"]).get(path)
        assert refused.status_code == 403
        assert "This page is for coordinators" in text(refused.text)
        assert (await foreign.get(path)).status_code == 404
        assert (await Person(story, Role.coordinator, cluster=story.ids["dare"]).get(path)).status_code == 200
    assert "Match desk" not in (await Person(story).get("/")).text


async def test_a_plan_is_made_read_and_published(story: World) -> None:
    desk = Person(story, Role.operator)
    path = await planned(desk, story)
    page = text((await desk.get(path)).text)
    assert "This is provably the best plan for these criteria." in page
    new = int(re.findall(r"New (\d+) Withdrawn", page)[0])
    (fields,) = forms((await desk.get(path)).text, f"{path}/publish")
    if new:
        assert re.search(r"[+]\d+[.]\d", page), "who gains is said before it is published"
    assert (await desk.post(f"{path}/publish", fields)).headers["location"] == path
    assert "published" in text((await desk.get(path)).text)
    stale = await desk.post(
        f"{path}/publish", [(name, "2" if name == "expected_version" else str(uuid4())) for name, _ in fields]
    )
    assert stale.status_code in {409, 412}


async def test_pairs_are_filtered_and_explained(story: World) -> None:
    desk = Person(story, Role.operator)
    run = (await story.get("matching/runs"))["items"][0]["id"]
    plan = await story.get(f"matching/runs/{run}/plan")
    first_pair = plan["pairs"][0]
    page = (await desk.get(f"/desk/runs/{run}?cluster={first_pair['learner_id']}")).text
    rows = re.findall(r'<th role="rowheader".*?</tr>', page, re.DOTALL)
    assert len(rows) == sum(
        first_pair["learner_id"] in (pair["mentor_id"], pair["learner_id"]) for pair in plan["pairs"]
    )
    assert len(re.findall(r'class="edge edge-[a-z]+" d="M250', page)) == len(rows), "the picture says the same"
    kept_pairs = (await desk.get(f"/desk/runs/{run}?status=kept")).text
    assert "No such pair" in kept_pairs
    why = text((await desk.get(f"/desk/runs/{run}/learners/{first_pair['learner_id']}")).text)
    for term in first_pair["terms"]:
        assert term["reason"] in why
    assert "Alternates" in why
    for missing in (f"/desk/runs/{uuid4()}", f"/desk/runs/{run}/learners/{uuid4()}", f"/desk/what-ifs/{uuid4()}"):
        assert (await desk.get(missing)).status_code == 404


async def test_a_long_plan_is_turned_leaf_by_leaf(story: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PAGE_SIZE", 2)
    desk = Person(story, Role.operator)
    run = (await story.get("matching/runs"))["items"][0]["id"]
    pairs = (await story.get(f"matching/runs/{run}/plan"))["pairs"]
    assert len(pairs) > 2
    learners, path, leaves = list[str](), f"/desk/runs/{run}", 0
    while path:
        page = (await desk.get(path)).text
        learners += re.findall(r'<th role="rowheader"[^>]*><a href="/desk/runs/[^/]*/learners/([^"]*)"', page)
        assert len(re.findall(r'class="edge edge-[a-z]+" d="M250', page)) <= 2, "the picture shows the same pairs"
        after = re.search(r'rel="next" href="([^"]*)"', page)
        path, leaves = after[1].replace("&amp;", "&") if after else "", leaves + 1
    assert sorted(learners) == sorted(pair["learner_id"] for pair in pairs)
    assert leaves == -(-len(pairs) // 2)
    last = text((await desk.get(f"/desk/runs/{run}?page=99")).text)
    assert f"{len(pairs)} of {len(pairs)} Previous" in last, "a leaf beyond the end is the last one"
    assert (await desk.get(f"/desk/runs/{run}?page=0")).status_code == 422


def test_a_long_list_is_cut_and_says_so() -> None:
    ids = [UUID(int=number) for number in range(truncation.MAX_LINES + 10)]
    clusters = [cluster(id.int, "RO", name=f"c{id.int}") for id in ids]
    context = PageContext(PublicClient("http://127.0.0.1", str), "/", all_clusters=clusters)
    brought = plan_diff.learner_changes({id: 100 * (id.int - 5) for id in ids}, context.cluster_name)
    shown = [*brought.lines.head, *brought.lines.tail]
    assert (brought.gain, brought.lose) == (len(ids) - 6, 5)
    assert len(shown) + brought.lines.left_out == len(ids) - 1, "who neither gains nor loses is not in it"
    assert shown[0] == (f"c{len(ids) - 1}", f"+{len(ids) - 6}.0", True)
    assert shown[-1] == ("c0", "-5.0", False)
    assert truncation.truncate(range(truncation.MAX_LINES)) == (range(truncation.MAX_LINES), 0, ())
    one_more = plan_diff.pair_sentences([(ids[0], id) for id in ids[: truncation.MAX_LINES + 1]], context.cluster_name)
    assert (len(one_more.head), one_more.left_out, one_more.tail) == (truncation.MAX_LINES, 1, [])


async def test_what_would_be_stands_beside_what_is_and_becomes_a_draft(story: World) -> None:
    desk = Person(story, Role.operator)
    page = (await desk.get("/desk/what-ifs/new")).text
    (hidden,) = forms(page, "/desk/what-ifs")
    weights = re.findall(r'<input class="slider" [^>]*name="([a-z_]+)"[^>]*value="(\d+)"', page)
    assert len(weights) == 10
    changed = [(name, "0" if name == "knowledge" else value) for name, value in weights]
    fields = [*hidden, ("name", "Without knowledge"), ("objective", "fairest"), *changed]
    made = await desk.post("/desk/what-ifs", [*fields, ("pair", ""), ("mentor_id", ""), ("learner_id", "")])
    shown = (await desk.get(made.headers["location"])).text
    assert re.search(r"Total points \d+[.]\d \d+[.]\d", text(shown))
    assert re.search(r'name="knowledge"[^>]*value="0"', shown), "the sliders stand where they were put"
    assert '<option value="fairest" selected>' in shown
    (draft,) = forms(shown, f"{made.headers['location']}/draft")
    run = (await desk.post(f"{made.headers['location']}/draft", draft)).headers["location"]
    assert run.startswith("/desk/runs/")
    assert "Without knowledge" in (await desk.get("/desk")).text


async def test_pairs_that_were_chosen_stay_chosen_until_they_are_let_go(story: World) -> None:
    desk = Person(story, Role.operator)
    page = (await desk.get("/desk/what-ifs/new")).text
    (hidden,) = forms(page, "/desk/what-ifs")
    weights = re.findall(r'<input class="slider" [^>]*name="([a-z_]+)"[^>]*value="(\d+)"', page)
    mentor, learner = re.findall(r'<option value="([0-9a-f-]{36})">', page)[:2]
    same = [*hidden[:1], ("name", "Pairs"), ("objective", "total"), *weights]

    async def supposed(*more: tuple[str, str]) -> tuple[list[tuple[str, str]], str]:
        made = await desk.post("/desk/what-ifs", [*same, ("idempotency_key", str(uuid4())), *more])
        page = (await desk.get(made.headers["location"])).text
        return re.findall(r'name="(forced|forbidden)" value="([^"]*)" checked', page), text(page)

    chosen, page = await supposed(("pair", "forbidden"), ("mentor_id", mentor), ("learner_id", learner))
    assert chosen == [("forbidden", f"{mentor}:{learner}")]
    assert "must not be paired" in page
    chosen, _ = await supposed(*chosen, ("pair", "forbidden"), ("mentor_id", learner), ("learner_id", mentor))
    assert sorted(chosen) == sorted([("forbidden", f"{mentor}:{learner}"), ("forbidden", f"{learner}:{mentor}")])
    assert (await supposed(chosen[0], ("pair", "")))[0] == [chosen[0]], "what is not ticked is let go"


async def test_what_cannot_be_supposed_is_said(story: World) -> None:
    desk = Person(story, Role.operator)
    page = (await desk.get("/desk/what-ifs/new")).text
    (hidden,) = forms(page, "/desk/what-ifs")
    weights = [
        (name, "0") for name, _ in re.findall(r'<input class="slider" [^>]*name="([a-z_]+)"[^>]*value="(\d+)"', page)
    ]
    fields = [*hidden, ("name", "Nothing"), ("objective", "total"), *weights]
    refused = await desk.post("/desk/what-ifs", [*fields, ("pair", ""), ("mentor_id", ""), ("learner_id", "")])
    assert refused.status_code == 422
    assert "At least one weight has to be above 0." in text(refused.text)


async def test_two_plans_are_compared(story: World) -> None:
    desk = Person(story, Role.operator)
    first = (await story.get("matching/runs"))["items"][0]["id"]
    second = (await planned(desk, story)).rpartition("/")[2]
    page = text((await desk.get(f"/desk/compare?first={first}&second={second}")).text)
    assert re.search(r"Pairs \d+ \d+ Learners served", page)
    assert "Compare" in text((await desk.get("/desk")).text)
    assert (await desk.get(f"/desk/compare?first={first}&second={uuid4()}")).status_code == 404
