"""Runs over HTTP: optimal plans, published once, refused with a reason."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

from services.matching.rules.engine import SOLVER
from shared.auth import Role
from tests.services.matching.actions import NO_FREEZE, OPERATOR, Matching, Member, learner, mentor, problem
from tests.support import factories


async def test_a_run_is_a_draft_that_nobody_hears_of(matching: Matching, url: str) -> None:
    able, baker = mentor("Able"), learner("Baker")
    await matching.register(able, baker)
    reply = await matching.request_run()
    assert reply.status_code == 201
    assert reply.headers["etag"] == '"v1"'
    requested = reply.json()
    assert reply.headers["location"] == f"runs/{requested['id']}"
    assert (requested["state"], requested["version"], requested["progress"]) == ("running", 1, 0)
    shown = await matching.finished_run(requested["id"])
    finished = shown["run"]
    assert (finished["state"], finished["version"], finished["progress"]) == ("draft", 2, 1000)
    assert (finished["solver"], finished["reason"]) == (SOLVER, None)
    assert finished["inputs_hash"] == requested["inputs_hash"]
    (pair,) = shown["pairs"]
    assert (pair["mentor_id"], pair["learner_id"]) == (str(able.id), str(baker.id))
    assert (pair["state"], pair["run_id"], pair["mentor_answer"]) == ("draft", finished["id"], None)
    assert pair["score_hundredths"] == finished["total_hundredths"] > 0
    assert {term["term"]: term["hundredths"] for term in pair["terms"]}["knowledge"] == finished["criteria"]["weights"][
        "knowledge"
    ]
    assert await matching.pairs() == []
    assert problem(await matching.client.get(f"/pairs/{pair['id']}", headers=OPERATOR)) == (404, "no-such-pair")
    assert await factories.published_events(url) == []


async def test_publishing_proposes_each_pair(matching: Matching, url: str) -> None:
    await matching.register(mentor("Able", mentor_capacity=3), *(learner(f"Learner {n}") for n in range(3)))
    run = await matching.draft_run()
    id = run["run"]["id"]
    reply = await matching.publish(id)
    assert (reply.status_code, reply.headers["etag"]) == (200, '"v3"')
    assert (reply.json()["state"], reply.json()["version"]) == ("published", 3)
    (kind, version, data), *proposals = await factories.published_events(url)
    assert (kind, version) == ("run.published", 1)
    assert data == {
        "run_id": id,
        "consortium_id": str(factories.CONSORTIUM),
        "pairs": 3,
        "total_hundredths": run["run"]["total_hundredths"],
    }
    assert [(kind, version) for kind, version, _ in proposals] == [("pair.proposed", 1)] * 3
    assert sum(data["score_hundredths"] for _, _, data in proposals) == data["total_hundredths"]
    drafts = {pair["id"]: pair for pair in run["pairs"]}
    for _, _, event in proposals:
        draft = drafts.pop(event.pop("pair_id"))
        assert [term.pop("known") for term in draft["terms"]].count(False) == 2
        assert event == {name: draft[name] for name in event}
        assert sum(term["hundredths"] for term in event["terms"]) == event["score_hundredths"]
        assert event["request_id"] is None
    assert {pair["state"] for pair in await matching.pairs()} == {"proposed"}


async def test_a_run_is_published_once_and_as_it_was_seen(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner())
    id = (await matching.draft_run())["run"]["id"]
    assert problem(await matching.publish(id, version=1)) == (412, "stale")
    assert problem(await matching.publish(id, version=None)) == (428, "precondition-required")
    assert problem(await matching.publish(str(uuid4()))) == (404, "no-such-run")
    assert await factories.published_events(url) == []
    assert (await matching.publish(id)).status_code == 200
    assert problem(await matching.publish(id)) == (412, "stale")
    assert problem(await matching.publish(id, version=3)) == (409, "already-published")
    assert len(await factories.published_events(url)) == 2


async def test_an_overtaken_draft_is_not_published(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner())
    first, second = [(await matching.draft_run())["run"]["id"] for _ in range(2)]
    assert (await matching.publish(second)).status_code == 200
    reply = await matching.publish(first)
    assert problem(reply) == (409, "inputs-changed")
    assert reply.json()["detail"] == "Since this draft was made: Mentor with Learner was proposed. Make a new run."
    assert (await matching.get(f"/runs/{first}"))["run"]["state"] == "draft"
    assert len(await factories.published_events(url)) == 2


async def test_live_pairs_stay_and_taken_places_are_gone(matching: Matching) -> None:
    best, second, third = mentor("Best", mentor_capacity=1), mentor("Second", level=4), mentor("Third", level=3)
    eager = learner(learner_capacity=3)
    of_best, _, of_third = await matching.register_and_publish(best, second, third, eager)
    assert (await matching.draft_run())["pairs"] == []
    assert (await matching.accept(of_best["id"])).status_code == 200
    assert (await matching.answer(of_third["id"], "mentor", "decline")).status_code == 200
    late = learner("Late", learner_capacity=3)
    await matching.register(late)
    planned = {(pair["mentor_id"], pair["learner_id"]) for pair in (await matching.draft_run())["pairs"]}
    named = {str(cluster.id): cluster.name for cluster in (best, second, third, eager, late)}
    assert {(named[mentor_id], named[learner_id]) for mentor_id, learner_id in planned} == {
        ("Second", "Late"),
        ("Third", "Late"),
    }
    again = {
        (pair["mentor_id"], pair["learner_id"]) for pair in (await matching.draft_run(criteria=NO_FREEZE))["pairs"]
    }
    assert {(named[mentor_id], named[learner_id]) for mentor_id, learner_id in again - planned} == {
        ("Third", "Learner")
    }


async def test_a_run_tells_what_it_was_made_from(matching: Matching) -> None:
    await matching.register(mentor(), learner())
    first, again = [(await matching.draft_run())["run"] for _ in range(2)]
    assert first["inputs_hash"] == again["inputs_hash"]
    await matching.publish(first["id"])
    after = (await matching.draft_run())["run"]
    assert after["inputs_hash"] != first["inputs_hash"], "what is live decides the plan, so it is an input"
    ((inputs,),) = [
        row.values()
        for row in await factories.rows(
            matching.url, "SELECT jsonb_array_length(inputs->'proposed') FROM run WHERE id = $1", UUID(after["id"])
        )
    ]
    assert inputs == 1


async def test_where_nothing_is_known_nothing_is_planned(matching: Matching) -> None:
    reply = await matching.request_run()
    assert problem(reply) == (404, "no-such-consortium")
    assert [error["field"] for error in reply.json()["errors"]] == ["consortium_id"]
    await matching.register(mentor("Alone"))
    assert (await matching.draft_run())["pairs"] == []


async def test_a_run_is_the_business_of_its_consortium(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner())
    own = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)
    stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
    assert problem(await matching.request_run(headers=stranger)) == (404, "no-such-consortium")
    id = (await matching.request_run(headers=own)).json()["id"]
    await matching.finished_run(id)
    assert problem(await matching.publish(id, headers=stranger)) == (404, "no-such-run")
    assert problem(await matching.client.get(f"/runs/{id}", headers=stranger)) == (404, "no-such-run")
    assert [run["id"] for run in (await matching.get("/runs", own))["items"]] == [id]
    assert (await matching.get("/runs", stranger))["items"] == []
    homeless = await matching.client.get("/runs", headers=factories.signed_in(Role.coordinator))
    assert problem(homeless) == (403, "no-consortium")
    assert await factories.published_events(url) == []
    assert (await matching.publish(id, headers=own)).status_code == 200


async def test_only_coordinators_make_and_publish_runs(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner())
    id = (await matching.draft_run())["run"]["id"]
    for role in (Role.manager, Role.associate, Role.partner, Role.service):
        caller = factories.signed_in(role, consortium=factories.CONSORTIUM, cluster=uuid4())
        assert problem(await matching.request_run(headers=caller)) == (403, "forbidden"), role
        assert problem(await matching.publish(id, headers=caller)) == (403, "forbidden"), role
    assert (await matching.request_run(headers={})).status_code == 401
    assert (await matching.publish(id, headers={})).status_code == 401
    assert (await matching.client.get("/runs")).status_code == 401
    assert len((await matching.get("/runs"))["items"]) == 1
    assert await factories.published_events(url) == []


async def test_a_retry_with_its_key_gives_the_same_run(matching: Matching) -> None:
    await matching.register(mentor(), learner())
    keyed = OPERATOR | {"Idempotency-Key": "one"}
    first, again = [await matching.request_run(headers=keyed) for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await matching.get("/runs"))["items"]) == 1


async def test_runs_are_paged_oldest_first(matching: Matching) -> None:
    await matching.register(mentor(), learner())
    ids = [(await matching.draft_run())["run"]["id"] for _ in range(3)]
    first = await matching.get("/runs", limit="2")
    rest = await matching.get("/runs", limit="2", cursor=first["next"])
    assert [run["id"] for run in first["items"] + rest["items"]] == ids
    assert rest["next"] is None


async def moving(matching: Matching) -> tuple[Member, Member, Member, str]:
    """A weak mentor is proposed, then a better one joins; the id of a run that prefers the better one."""
    weak, eager = mentor("Weak", level=2), learner("Eager", learner_capacity=1)
    await matching.register_and_publish(weak, eager)
    able = mentor("Able")
    await matching.register(able)
    run = await matching.draft_run(criteria={"move_price": 100})
    return weak, able, eager, run["run"]["id"]


async def test_a_plan_may_move_an_open_proposal_and_publishing_withdraws_it(matching: Matching) -> None:
    weak, able, eager, run = await moving(matching)
    plan = await matching.get(f"/runs/{run}/plan")
    assert [(pair["mentor_id"], pair["learner_id"]) for pair in plan["dropped"]] == [(str(weak.id), str(eager.id))]
    (before,) = await matching.pairs()
    assert (await matching.publish(run)).status_code == 200
    withdrawn, proposed = await matching.pairs()
    assert (withdrawn["id"], withdrawn["state"], withdrawn["version"]) == (before["id"], "withdrawn", 2)
    assert (proposed["mentor_id"], proposed["state"]) == (str(able.id), "proposed")
    (event,) = await matching.published_data("pair.withdrawn")
    assert event == {
        "pair_id": before["id"],
        "consortium_id": str(factories.CONSORTIUM),
        "mentor_id": str(weak.id),
        "learner_id": str(eager.id),
        "run_id": run,
        "why": "plan",
    }
    assert problem(await matching.answer(before["id"], "mentor", version=2)) == (409, "already-decided")
    assert [pair["id"] for pair in (await matching.get("/pairs", state="withdrawn"))["items"]] == [before["id"]]


async def test_a_dear_move_is_not_made(matching: Matching) -> None:
    *_, run = await moving(matching)
    moves = await matching.get(f"/runs/{run}/moves")
    assert [point["dropped"] for point in moves["points"]] == [1, 0]
    price = moves["points"][1]["price"]
    gain = moves["points"][0]["total"] - moves["points"][1]["total"]
    assert gain <= price <= gain + 1
    assert (await matching.draft_run(criteria={"move_price": price + 1}))["pairs"] == []
    assert len((await matching.draft_run(criteria={"move_price": price - 2}))["pairs"]) == 1


async def test_a_proposal_is_withdrawn_or_answered_but_not_both(matching: Matching, url: str) -> None:
    *_, run = await moving(matching)
    (before,) = await matching.pairs()
    assert (await matching.answer(before["id"], "mentor")).status_code == 200
    run = (await matching.draft_run(criteria={"move_price": 100}))["run"]["id"]
    published, answered = await asyncio.gather(
        matching.publish(run), matching.answer(before["id"], "learner", version=2)
    )
    kinds = Counter(kind for kind, _, _ in await factories.published_events(url))
    if published.status_code == 200:
        assert problem(answered) in {(409, "already-decided"), (412, "stale")}
        assert (kinds["pair.withdrawn"], kinds["pair.accepted"]) == (1, 0)
    else:
        assert problem(published) == (409, "inputs-changed")
        assert answered.status_code == 200
        assert (kinds["pair.withdrawn"], kinds["pair.accepted"]) == (0, 1)
