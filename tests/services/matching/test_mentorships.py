"""Mentorships: agreement, start, end and outcome."""

import asyncio
from datetime import timedelta

import pytest

from tests.services.matching.actions import (
    FRAMEWORK,
    NO_FREEZE,
    OPERATOR,
    Json,
    Matching,
    assessed,
    manager_of,
    member,
    mentor,
    problem,
)
from tests.services.matching.mentoring import MEETING, TODAY, proposed_pair
from tests.support import factories


async def test_it_begins_with_the_second_yes_and_starts_when_both_have_confirmed(matching: Matching) -> None:
    ant, _, pair = await proposed_pair(matching)
    assert (await matching.client.get(f"/mentorships/{pair}", headers=OPERATOR)).status_code == 404
    await matching.accept(pair)
    mentorship = await matching.mentorship(pair)
    assert (mentorship["state"], mentorship["version"], mentorship["health"]) == ("agreed", 1, None)
    assert mentorship["next_step"] == "The mentor and the learner should read the agreement and confirm it."
    (goal,) = mentorship["goals"]
    assert (goal["indicator"], goal["level"], goal["target"], goal["reached"]) == ("foresight", 1, 4, 1)
    assert "foresight (from 1 to 4)" in mentorship["agreement"]
    half = (await matching.send(pair, "POST confirmations", {"side": "mentor"}, 1, manager_of(ant))).json()
    assert (half["state"], half["next_step"][:11]) == ("agreed", "The learner")
    assert await matching.published_data("mentorship.started") == []
    whole = (await matching.send(pair, "POST confirmations", {"side": "learner"}, 2)).json()
    assert (whole["state"], whole["health"]) == ("active", 50)
    (event,) = await matching.published_data("mentorship.started")
    assert (event["mentorship_id"], event["every_days"], len(event["goals"])) == (pair, 14, 1)


async def test_what_it_sets_out_to_do_can_be_changed_until_it_starts(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.accept(pair)
    await matching.send(pair, "POST confirmations", {"side": "mentor"}, 1)
    changed = (await matching.send(pair, "PUT plan", {"template": "intense"}, 2)).json()
    assert (changed["every_days"], changed["mentor_confirmed_at"]) == (7, None)
    assert changed["agreement"].startswith("Ant and Bee work together: a meeting every week for twelve weeks.")
    due = (TODAY + timedelta(days=50)).isoformat()
    goal = {"framework": FRAMEWORK, "indicator": "foresight", "target": 3, "due_on": due}
    own = {"goals": [goal], "agreement": "We do it our way.", "every_days": 10, "until": due}
    changed = (await matching.send(pair, "PUT plan", own, 3)).json()
    assert (changed["agreement"], changed["every_days"], changed["ends_on"]) == ("We do it our way.", 10, due)
    assert [(goal["target"], goal["due_on"]) for goal in changed["goals"]] == [(3, due)]
    low = await matching.send(pair, "PUT plan", {"goals": [goal | {"target": 1}]}, 4)
    assert (problem(low), low.json()["errors"][0]["field"]) == ((422, "no-gain"), "goals.0.target")
    past = await matching.send(pair, "PUT plan", {"until": "2017-01-01"}, 4)
    assert (problem(past), past.json()["errors"][0]["field"]) == ((422, "too-short"), "until")
    assert problem(await matching.send(pair, "PUT plan", {}, 3)) == (412, "stale")
    for version, side in ((4, "mentor"), (5, "learner")):
        await matching.send(pair, "POST confirmations", {"side": side}, version)
    assert problem(await matching.send(pair, "PUT plan", {}, 6)) == (409, "already-started")
    assert problem(await matching.send(pair, "POST confirmations", {"side": "mentor"}, 6)) == (409, "already-started")


async def test_the_end_frees_the_places_and_an_assessment_confirms_the_gain(matching: Matching) -> None:
    ant, bee, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    await matching.send(pair, "POST meetings", MEETING)
    await matching.send(pair, f"PUT goals/{FRAMEWORK}/foresight", {"reached": 4})
    version = (await matching.mentorship(pair))["version"]
    over = (await matching.send(pair, "POST ending", {"side": "learner", "how": "completed"}, version)).json()
    assert (over["state"], over["health"], over["surveys_due"]) == ("completed", None, [0])
    assert over["next_step"] == "An assessment of the learner will confirm 1 goal."
    assert (await matching.used_slots(ant, "mentor"), await matching.used_slots(bee, "learner")) == (0, 0)
    assert (await matching.get(f"/pairs/{pair}"))["state"] == "ended"
    (event,) = await matching.published_data("mentorship.ended")
    assert (event["how"], event["meetings"], event["goals"][0]["reached"]) == ("completed", 1, 4)
    assert [event["day"] for event in await matching.published_data("mentorship.asked")] == [0]
    again = await matching.send(pair, "POST ending", {"side": "mentor", "how": "early"}, version + 1)
    assert problem(again) == (409, "already-over")
    await matching.deliver(assessed(bee.id, 8, {"foresight": 2}, TODAY - timedelta(days=1)))
    assert (await matching.mentorship(pair))["goals"][0]["confirmed"] is None, "it was measured before the end"
    await matching.deliver(assessed(bee.id, 9, {"foresight": 3}, TODAY))
    shown = await matching.mentorship(pair)
    assert (shown["outcome"], shown["goals"][0]["confirmed"], shown["next_step"]) == (66, 3, "Nothing is left to do.")
    await matching.deliver(assessed(bee.id, 10, {"foresight": 5}, TODAY))
    assert (await matching.mentorship(pair))["outcome"] == 66, "the first assessment after the end counts"
    (confirmed,) = await matching.published_data("mentorship.confirmed")
    assert (confirmed["outcome"], confirmed["goals"][0]["confirmed"]) == (66, 3)


async def test_the_outcome_is_the_mentors_record_and_both_may_meet_again(matching: Matching) -> None:
    ant, bee, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    await matching.send(pair, "POST ending", {"side": "mentor", "how": "completed"}, 3)
    await matching.deliver(assessed(bee.id, 8, {"foresight": 2}, TODAY))
    run = await matching.draft_run(criteria=NO_FREEZE)
    (new,) = run["pairs"]
    assert (new["mentor_id"], new["learner_id"]) == (str(ant.id), str(bee.id))
    terms = {term["term"]: term for term in new["terms"]}
    assert (terms["record"]["known"], terms["novelty"]["hundredths"]) == (True, 0)
    assert terms["reciprocity"]["known"] is True


async def test_what_was_measured_on_the_day_of_the_end_counts(matching: Matching) -> None:
    _, bee, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    await matching.deliver(assessed(bee.id, 8, {"foresight": 4}, TODAY))
    over = (await matching.send(pair, "POST ending", {"side": "mentor", "how": "completed"}, 3)).json()
    assert (over["outcome"], over["goals"][0]["confirmed"]) == (100, 4)


async def test_it_is_ended_early_with_a_word_of_why(matching: Matching) -> None:
    _, _, pair = await proposed_pair(matching)
    await matching.accept(pair)
    whole = await matching.send(pair, "POST ending", {"side": "mentor", "how": "completed"}, 1)
    assert problem(whole) == (409, "not-started")
    body = {"side": "mentor", "how": "early", "reason": "We have no people for it."}
    assert problem(await matching.send(pair, "POST ending", body, 9)) == (412, "stale")
    over = (await matching.send(pair, "POST ending", body, 1)).json()
    assert (over["state"], over["reason"], over["surveys_due"]) == ("ended", "We have no people for it.", [])
    assert await matching.published_data("mentorship.asked") == [], "what never started needs no survey"
    bodies: dict[str, Json] = {
        "POST meetings": MEETING,
        "POST check-ins": {"side": "mentor", "feeling": 1},
        f"PUT goals/{FRAMEWORK}/foresight": {"reached": 2},
    }
    for what, body in bodies.items():
        assert problem(await matching.send(pair, what, body)) == (409, "not-active")


async def test_of_many_who_end_it_one_does(matching: Matching) -> None:
    ant, _, pair = await proposed_pair(matching)
    await matching.start_mentorship(pair)
    body = {"how": "completed", "reason": "Done."}
    sides = ("mentor", "learner") * 5
    replies = await asyncio.gather(*(matching.send(pair, "POST ending", body | {"side": side}, 3) for side in sides))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 9
    assert len(await matching.published_data("mentorship.ended")) == 1
    assert await matching.used_slots(ant, "mentor") == 0


async def test_a_pair_without_a_need_agrees_on_goals_later(matching: Matching) -> None:
    ant, bee = mentor("Ant"), member("Bee", {"foresight": 1})
    await matching.register(ant, bee)
    await matching.deliver(factories.stored(factories.service_requested(cluster_id=bee.id, framework=FRAMEWORK), 4))
    (pair,) = await matching.pairs()
    await matching.accept(pair["id"])
    mentorship = await matching.mentorship(pair["id"])
    assert mentorship["goals"] == []
    assert "We agree on goals at the first meeting." in mentorship["agreement"]
    unseen = await matching.send(pair["id"], "POST confirmations", {"side": "mentor"})
    assert unseen.status_code == 428


@pytest.mark.parametrize(("level", "status"), [(5, 200), (6, 422), (100, 422)])
async def test_goals_and_reports_are_on_the_scale(matching: Matching, level: int, status: int) -> None:
    _, bee, pair = await proposed_pair(matching)
    await matching.accept(pair)
    goal = {"framework": FRAMEWORK, "indicator": "foresight", "target": level, "due_on": TODAY.isoformat()}
    planned = await matching.send(pair, "PUT plan", {"goals": [goal]}, 1, manager_of(bee))
    assert planned.status_code == status
    version = (await matching.mentorship(pair))["version"]
    for place, side in enumerate(("mentor", "learner")):
        await matching.send(pair, "POST confirmations", {"side": side}, version + place)
    path = f"PUT goals/{FRAMEWORK}/foresight"
    reported = await matching.send(pair, path, {"reached": level}, headers=manager_of(bee))
    assert reported.status_code == status
    if status == 422:
        assert (problem(planned), planned.json()["errors"][0]["field"]) == ((422, "off-scale"), "goals.0.target")
        assert (problem(reported), reported.json()["errors"][0]["field"]) == ((422, "off-scale"), "reached")
