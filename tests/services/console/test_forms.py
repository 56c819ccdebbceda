"""What managers do on the pages: answer proposals, confirm, meet, report, check in, and end a mentorship."""

import re

import pytest

from shared import clock
from shared.auth import Role
from tests.services.console.actions import Person, forms, text
from tests.services.console.world import World

pytestmark = pytest.mark.timeout(60)


async def sides(story: World) -> tuple[Person, Person]:
    """The managers of the mentorship's mentor and learner."""
    shown = await story.get(f"matching/mentorships/{story.ids['mentorship']}")
    mentor, learner = (Person(story, Role.manager, cluster=shown[f"{side}_id"]) for side in ("mentor", "learner"))
    return mentor, learner


async def test_a_manager_answers_a_proposal_on_the_page(story: World) -> None:
    pairs = (await story.get("matching/pairs?limit=100"))["items"]
    open_ = next(pair for pair in pairs if pair["state"] == "proposed")
    mentor = Person(story, Role.manager, cluster=open_["mentor_id"])
    page = (await mentor.get("/pairs")).text
    assert "For you to answer" in page
    path = f"/pairs/{open_['id']}/answer"
    (fields,) = forms(page, path)
    assert dict(fields)["side"] == "mentor"
    reply = await mentor.post(path, [*fields, ("answer", "accept"), ("reason", "")])
    assert (reply.status_code, reply.headers["location"]) == (303, "/pairs?done=accept")
    assert "You have said yes." in (await mentor.get("/pairs?done=accept")).text
    again = await mentor.post(path, [*fields, ("answer", "accept"), ("reason", "")])
    assert again.status_code == 303, "the same form sent twice is one answer"
    learner = Person(story, Role.manager, cluster=open_["learner_id"])
    (fields,) = forms((await learner.get("/pairs")).text, path)
    reply = await learner.post(path, [*fields, ("answer", "decline"), ("reason", "Not this year.")])
    assert reply.status_code == 303
    shown = await story.get(f"matching/pairs/{open_['id']}")
    assert (shown["state"], shown["reason"]) == ("declined", "Not this year.")


async def test_the_second_yes_leads_to_the_mentorship_where_both_confirm(story: World) -> None:
    pairs = (await story.get("matching/pairs?limit=100"))["items"]
    open_ = next(pair for pair in pairs if pair["state"] == "proposed")
    path = f"/pairs/{open_['id']}/answer"
    at = f"/mentorships/{open_['id']}"
    both = [Person(story, Role.manager, cluster=open_[f"{side}_id"]) for side in ("mentor", "learner")]
    led = []
    for person in both:
        (fields,) = forms((await person.get("/pairs")).text, path)
        led.append((await person.post(path, [*fields, ("answer", "accept"), ("reason", "")])).headers["location"])
    assert led == ["/pairs?done=accept", at]
    for person in both:
        (fields,) = forms((await person.get(at)).text, f"{at}/confirm")
        assert (await person.post(f"{at}/confirm", fields)).status_code == 303
    assert "Active" in text((await both[0].get(at)).text)


async def test_the_two_sides_work_on_the_page_to_the_end(story: World) -> None:
    mentor, learner = await sides(story)
    at = f"/mentorships/{story.ids['mentorship']}"
    page = (await learner.get(at)).text
    goal = re.search(r'<option value="([^"]+/[^"]+)">', page)
    assert goal
    steps = [
        ("progress", [("goal", goal[1]), ("reached", "4")], "The level reached is saved."),
        ("check-in", [("feeling", "4"), ("text", "We learn a lot.")], "Your check-in is saved."),
        (
            "meeting",
            [("state", "held"), ("on", clock.now().date().isoformat()), ("minutes", "45")],
            "The meeting is saved.",
        ),
        ("end", [("how", "completed"), ("reason", "We are done.")], "The mentorship is over."),
    ]
    for what, answers, expected in steps:
        (fields,) = forms((await learner.get(at)).text, f"{at}/{what}")
        reply = await learner.post(f"{at}/{what}", [*fields, *answers])
        assert (reply.status_code, reply.headers["location"]) == (303, f"{at}?done={what}")
        assert expected in text((await learner.get(reply.headers["location"])).text)
    page = (await mentor.get(at)).text
    assert "We are done." in page
    assert "We learn a lot." not in page
    assert "<form" not in page.split("</header>")[1], "there is nothing to do any more"


async def test_others_see_how_it_goes_and_can_do_nothing(story: World) -> None:
    at = f"/mentorships/{story.ids['mentorship']}"
    shown = await story.get(f"matching/mentorships/{story.ids['mentorship']}")
    taken = {shown["mentor_id"], shown["learner_id"]}
    other = next(story.ids[slug] for slug in ("dare", "cluee", "agroco") if story.ids[slug] not in taken)
    for person in (Person(story), Person(story, Role.manager, cluster=other)):
        page = await person.get(at)
        assert page.status_code == 200
        assert f"{at}/check-in" not in page.text
    body = [
        ("side", "mentor"),
        ("feeling", "1"),
        ("text", ""),
        ("idempotency_key", "0190f3a0-0000-7000-8000-000000000001"),
    ]
    refused = await Person(story, Role.manager, cluster=other).post(f"{at}/check-in", body)
    assert refused.status_code == 403
    assert "You do not act for the mentor" in text(refused.text)
    away = await Person(story).post(f"{at}/check-in", body)
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?because=needed")
    mentor, _ = await sides(story)
    foreign = await mentor.post(f"{at}/check-in", body, {"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    missing = await Person(story).get("/mentorships/0190f3a0-0000-7000-8000-000000000001")
    assert missing.status_code == 404


async def test_what_matching_refuses_is_said_in_its_words(story: World) -> None:
    mentor, _ = await sides(story)
    at = f"/mentorships/{story.ids['mentorship']}"
    (fields,) = forms((await mentor.get(at)).text, f"{at}/meeting")
    late = await mentor.post(f"{at}/meeting", [*fields, ("state", "held"), ("on", "2099-01-01"), ("minutes", "45")])
    assert late.status_code == 422
    assert "A held meeting cannot be on a future day." in text(late.text)
    wrong = await mentor.post(f"{at}/meeting", [*fields, ("state", "held"), ("on", "soon"), ("minutes", "45")])
    assert wrong.status_code == 400


async def test_the_ledger_is_there_as_a_table(story: World) -> None:
    user = Person(story)
    table = await user.get("/ledger.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    head, *lines = table.text.splitlines()
    assert head.startswith('\ufeff"by";"state";"teacher";"learner"')
    assert len(lines) > 10
    filtered = await user.get("/ledger.csv?cluster=cluee&skill=self-check/strategy")
    own = [line for line in lines if "Cluster for Energy Efficiency" in line and "strategy" in line]
    assert own
    assert filtered.text.splitlines() == [head, *own]


async def test_the_ledger_is_narrowed_down(story: World) -> None:
    user = Person(story)
    everything = text((await user.get("/ledger")).text)
    filtered = text((await user.get("/ledger?cluster=cluee&skill=&since=&until=")).text)
    assert "Cluster for Energy Efficiency" in filtered
    assert (_lines(filtered), _lines(everything)) == (2, 13)
    assert _lines(text((await user.get("/ledger?cluster=cluee&skill=self-check/strategy")).text)) == 1
    assert _lines(text((await user.get("/ledger?since=2018-01-01")).text)) == 1, "the mentorship that goes on"
    assert _lines(text((await user.get("/ledger?until=2018-01-01")).text)) == 12
    nothing = text((await user.get("/ledger?until=2017-01-01")).text)
    assert "The ledger has no entry that matches the filter." in nothing
    for bad, status in (("cluster=nobody", 404), ("skill=strategy", 422), ("since=soon", 422)):
        assert (await user.get(f"/ledger?{bad}")).status_code == status


async def test_the_ledger_shows_giving_taking_and_where_it_went_on(story: World) -> None:
    page = text((await Person(story).get("/ledger?cluster=dare")).text)
    balances, onward = page.split("Taught and learnt")[1].split("Passed on")
    assert re.search(r"D\.A\.Re\. Distretto Agroalimentare Regionale 12 0 \d 0", balances), "it hosted the training"
    assert re.search(r"Cluster for Energy Efficiency 0 0 2 0", balances)
    assert (
        "D.A.Re. Distretto Agroalimentare Regionale taught Cluster for Energy Efficiency: strategy directly" in onward
    )
    assert "Passed on" not in text((await Person(story).get("/ledger")).text)


def _lines(page: str) -> int:
    figure = re.search(r"Entries (\d+) Levels reported", page)
    assert figure, page
    return int(figure[1])
