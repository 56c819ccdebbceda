"""Activity in mentorships, who can see it, and reminders."""

from datetime import timedelta
from uuid import uuid4

from shared.auth import Role
from tests.services.matching.actions import FRAMEWORK, OPERATOR, Json, Matching, learner, manager_of, mentor, problem
from tests.services.matching.mentoring import MEETING, TODAY, pass_days, proposed_pair
from tests.support import factories
from tests.support.waiting import eventually


async def test_meetings_are_planned_held_and_told(matching: Matching) -> None:
    ant, bee, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    soon = (TODAY + timedelta(days=3)).isoformat()
    planned = (await matching.send(pair, "POST meetings", {"state": "planned", "on": soon})).json()
    (meeting,) = planned["meetings"]
    assert (meeting["state"], planned["next_step"][:8]) == ("planned", "Meet on ")
    early = await matching.send(pair, f"PUT meetings/{meeting['id']}", MEETING | {"on": soon}, 4)
    assert (problem(early), early.json()["errors"][0]["field"]) == ((422, "not-yet"), "on")
    for day, slug in ((TODAY - timedelta(days=1), "before-start"), ("0026-12-15", "invalid-request")):
        before = await matching.send(pair, "POST meetings", MEETING | {"on": str(day)})
        assert (problem(before), before.json()["errors"][0]["field"].rpartition(".")[2]) == ((422, slug), "on")
    people = {str(ant.id): 2, str(bee.id): 3}
    held = await matching.send(pair, f"PUT meetings/{meeting['id']}", MEETING | {"people": people}, 4)
    assert held.json()["meetings"][0] | {"id": "", "version": 0} == MEETING | {
        "people": people,
        "learners": 1,
        "id": "",
        "version": 0,
    }
    (event,) = await matching.published_data("mentorship.met")
    assert (event["meeting_id"], event["minutes"]) == (meeting["id"], 90)
    undone = await matching.send(pair, f"PUT meetings/{meeting['id']}", MEETING | {"state": "cancelled"}, 5)
    assert problem(undone) == (409, "already-held")
    longer = await matching.send(pair, f"PUT meetings/{meeting['id']}", MEETING | {"minutes": 120}, 5)
    assert longer.json()["meetings"][0]["minutes"] == 120
    assert len(await matching.published_data("mentorship.met")) == 1, "a meeting is told once"
    other = await matching.send(pair, "POST meetings", MEETING | {"people": {str(uuid4()): 1}})
    assert (problem(other), other.json()["errors"][0]["field"]) == ((422, "other-cluster"), "people")
    assert problem(await matching.send(pair, f"PUT meetings/{uuid4()}", MEETING, 6)) == (404, "no-such-meeting")


async def test_a_mentor_meets_a_group(matching: Matching) -> None:
    ant = mentor("Ant", mentor_capacity=3)
    bees = [learner("Bee"), learner("Cricket")]
    pairs = [pair["id"] for pair in await matching.register_and_publish(ant, *bees)]
    for pair in pairs:
        await matching.start_mentorship(pair)
    body = MEETING | {"together_with": [pairs[1]]}
    reply = await matching.send(pairs[0], "POST meetings", body, headers=manager_of(bees[0]))
    assert problem(reply) == (403, "not-your-side"), "a learner does not speak for the mentor's other learners"
    shown = (await matching.send(pairs[0], "POST meetings", body, headers=manager_of(ant))).json()
    (meeting,) = shown["meetings"]
    assert meeting["learners"] == 2
    assert [item["id"] for item in (await matching.mentorship(pairs[1]))["meetings"]] == [meeting["id"]]
    events = await matching.published_data("mentorship.met")
    assert {event["mentorship_id"] for event in events} == set(pairs)
    for pair, cluster in zip(pairs, bees, strict=True):
        note = {"side": "learner", "text": f"Seen by {cluster.name}"}
        await matching.send(pair, f"PUT meetings/{meeting['id']}/note", note, headers=manager_of(cluster))
    notes = (await matching.get(f"/mentorships/{pairs[0]}/notes", manager_of(ant)))["meetings"][0]["notes"]
    assert notes == {str(bees[0].id): "Seen by Bee"}, "what another learner noted is not for this one"


async def test_notes_are_for_the_two_sides(matching: Matching) -> None:
    ant, bee, pair = await proposed_pair(matching)
    other = mentor("Other")
    await matching.register(other)
    await matching.start_mentorship(pair)
    ask = {"side": "mentor", "text": "Send the template", "due_on": TODAY.isoformat(), "done": False}
    shown = (await matching.send(pair, "POST meetings", MEETING | {"follow_ups": [ask]})).json()
    path = f"PUT meetings/{shown['meetings'][0]['id']}/note"
    await matching.send(pair, path, {"side": "mentor", "text": "They listen."}, headers=manager_of(ant))
    check_in = {"side": "learner", "feeling": 4, "text": "It goes well."}
    await matching.send(pair, "POST check-ins", check_in, headers=manager_of(bee))
    notes = await matching.get(f"/mentorships/{pair}/notes", manager_of(bee))
    assert notes["meetings"][0]["notes"] == {str(ant.id): "They listen."}
    assert notes["meetings"][0]["follow_ups"] == [ask]
    assert [(item["side"], item["feeling"], item["text"]) for item in notes["check_ins"]] == [
        ("learner", 4, "It goes well.")
    ]
    refused = await matching.client.get(f"/mentorships/{pair}/notes", headers=manager_of(other))
    assert problem(refused) == (403, "not-your-mentorship")
    for cluster, side in ((other, "mentor"), (bee, "mentor"), (ant, "learner")):
        reply = await matching.send(pair, "POST check-ins", check_in | {"side": side}, headers=manager_of(cluster))
        assert problem(reply) == (403, "not-your-side")
    shown = await matching.get(f"/mentorships/{pair}", manager_of(other))
    assert "listen" not in str(shown), "the consortium sees how it goes, not what is noted"
    stranger = factories.signed_in(Role.manager, consortium=uuid4(), cluster=uuid4())
    assert (await matching.client.get(f"/mentorships/{pair}", headers=stranger)).status_code == 404
    assert (await matching.get("/mentorships", stranger))["items"] == []
    assert len((await matching.get("/mentorships", OPERATOR, cluster=str(bee.id)))["items"]) == 1
    assert (await matching.get("/mentorships", OPERATOR, cluster=str(other.id)))["items"] == []
    await matching.send(pair, path, {"side": "mentor", "text": ""}, headers=manager_of(ant))
    assert (await matching.get(f"/mentorships/{pair}/notes"))["meetings"][0]["notes"] == {}


async def test_progress_and_check_ins_show_in_the_health(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    await pass_days(matching, pair, 40)
    await matching.send(pair, "POST meetings", MEETING)
    for side in ("mentor", "learner"):
        await matching.send(pair, "POST check-ins", {"side": side, "feeling": 5})
    shown = (await matching.send(pair, f"PUT goals/{FRAMEWORK}/foresight", {"reached": 3})).json()
    parts = {part["part"]: (part["points"], part["of"]) for part in shown["health_parts"]}
    assert parts == {
        "first_meeting": (20, 20),
        "rhythm": (12, 24),
        "goals": (20, 20),
        "check_ins": (16, 16),
        "sentiment": (20, 20),
    }
    assert shown["health"] == 88
    assert shown["goals"][0]["reached"] == 3
    missing = await matching.send(pair, f"PUT goals/{FRAMEWORK}/strategy", {"reached": 3})
    assert problem(missing) == (404, "no-such-goal")


async def test_a_quiet_one_is_reminded_and_ends_in_the_end(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)

    async def published(kind: str, count: int) -> list[Json]:
        async def events_of_kind() -> list[Json]:
            events = await matching.published_data(f"mentorship.{kind}")
            return events if len(events) == count else []

        return await eventually(events_of_kind)

    for step in (1, 2, 3):
        await pass_days(matching, pair, 30)
        await published("nudged", step)
    events = await published("nudged", 3)
    assert [event["quiet_days"] for event in events] == [30, 60, 90]
    closes = TODAY + timedelta(days=7)
    assert [event["closes_on"] for event in events] == [None, None, closes.isoformat()]
    assert (await matching.mentorship(pair))["closes_on"] == closes.isoformat()
    assert [event["day"] for event in await published("asked", 2)] == [30, 90]
    await pass_days(matching, pair, 7)
    (over,) = await published("ended", 1)
    assert over["how"] == "quiet"
    shown = await matching.mentorship(pair)
    assert (shown["state"], shown["reason"]) == ("ended", "There was no activity for 97 days.")


async def test_any_sign_ends_the_quiet(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    await factories.rows(matching.url, "UPDATE mentorship SET last_reminder_day = 90 WHERE id = $1", pair)
    assert (await matching.mentorship(pair))["closes_on"] is not None
    await matching.send(pair, "POST check-ins", {"side": "mentor", "feeling": 3})
    assert (await matching.mentorship(pair))["closes_on"] is None


async def test_surveys_are_answered_once_when_they_are_due(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    answers = {"side": "mentor", "day": 30, "useful": 4, "again": True, "text": "Good."}
    assert problem(await matching.send(pair, "POST surveys", answers)) == (409, "not-due")
    await pass_days(matching, pair, 31)
    assert (await matching.mentorship(pair))["surveys_due"] == [30]
    assert (await matching.send(pair, "POST surveys", answers)).status_code == 201
    assert problem(await matching.send(pair, "POST surveys", answers)) == (409, "already-answered")
    shown = (await matching.send(pair, "POST surveys", answers | {"side": "learner"})).json()
    assert shown["surveys_due"] == []
    assert problem(await matching.send(pair, "POST surveys", answers | {"day": 0})) == (409, "not-due")
    surveys = (await matching.get(f"/mentorships/{pair}/notes"))["surveys"]
    assert [(survey["side"], survey["useful"]) for survey in surveys] == [("learner", 4), ("mentor", 4)]
