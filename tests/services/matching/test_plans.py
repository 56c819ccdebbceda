"""The plan of a run over HTTP: certificate, explanations, replay; invalid requests are refused by field."""

from typing import Any
from uuid import uuid4

import pytest

from shared.auth import Role
from tests.services.matching.actions import (
    OPERATOR,
    Json,
    Matching,
    Member,
    capacity_changed,
    learner,
    manager_of,
    member,
    mentor,
    problem,
)
from tests.support import factories


def pair_ids(mentor: Member, learner: Member) -> Json:
    return {"mentor_id": str(mentor.id), "learner_id": str(learner.id)}


def three_and_two() -> tuple[Member, ...]:
    """Two learners want the only slot of the best mentor."""
    best, second, third = mentor("Best", mentor_capacity=1), mentor("Second", level=3), mentor("Third", level=2)
    return best, second, third, learner("First", learner_capacity=1), learner("Next", learner_capacity=1)


async def test_a_plan_is_proved_and_says_what_places_are_worth(matching: Matching) -> None:
    members = three_and_two()
    await matching.register(*members)
    run = await matching.draft_run()
    plan = await matching.get(f"/runs/{run['run']['id']}/plan")
    (proof,) = plan["certificates"]
    assert plan["exact"]
    assert proof["worth"] == proof["bound"] == plan["total"] == run["run"]["total_hundredths"]
    assert plan["solver"] == run["run"]["solver"]
    assert run["run"]["took_ms"] >= 0
    assert {(pair["mentor_id"], pair["learner_id"]) for pair in plan["pairs"]} == {
        (pair["mentor_id"], pair["learner_id"]) for pair in run["pairs"]
    }
    (price,) = [price for price in plan["prices"] if price["mentor_id"] == str(members[0].id)]
    assert price["gain"] > 0
    assert price["gainer_id"] in {str(members[3].id), str(members[4].id)}


async def test_a_learner_is_told_its_alternates_and_what_another_mentor_would_cost(matching: Matching) -> None:
    best, second, third, first, following = three_and_two()
    await matching.register(best, second, third, first, following)
    run = await matching.draft_run()
    path = f"/runs/{run['run']['id']}/explanations/{first.id}"
    explanation = await matching.get(path, mentor_id=str(third.id))
    mine = {pair["mentor_id"] for pair in run["pairs"] if pair["learner_id"] == str(first.id)}
    others = {str(cluster.id) for cluster in (best, second, third)} - mine
    assert {alternate["mentor_id"] for alternate in explanation["alternates"]} == others
    costs = [alternate["cost"] for alternate in explanation["alternates"]]
    assert costs == sorted(costs)
    assert explanation["counterfactual"]["mentor_id"] == str(third.id)
    assert explanation["counterfactual"]["cost"] == next(
        alternate["cost"] for alternate in explanation["alternates"] if alternate["mentor_id"] == str(third.id)
    )
    stranger = await matching.client.get(f"{path}?mentor_id={uuid4()}", headers=OPERATOR)
    assert problem(stranger) == (404, "no-such-cluster")


@pytest.mark.parametrize("objective", ["total", "pairs", "fairest"])
async def test_a_run_asked_again_has_the_same_answer(matching: Matching, objective: str) -> None:
    members = three_and_two()
    await matching.register(*members)
    run = await matching.draft_run(criteria={"objective": objective}, seed=7)
    await matching.deliver(capacity_changed(members[0].id, 9, 0, 0))
    reply = await matching.client.post(f"/runs/{run['run']['id']}/replay", headers=OPERATOR)
    assert reply.json() == {"identical": True, "differences": []}


async def test_a_replay_of_what_was_changed_in_the_database_says_where_it_differs(matching: Matching) -> None:
    await matching.register(*three_and_two())
    id = (await matching.draft_run())["run"]["id"]
    await factories.rows(matching.url, """UPDATE run SET plan = jsonb_set(plan, '{total}', '1')""")
    replay = (await matching.client.post(f"/runs/{id}/replay", headers=OPERATOR)).json()
    assert not replay["identical"]
    assert replay["differences"][0].startswith("total was 1 and is ")


async def test_what_was_made_by_an_earlier_version_is_shown_and_not_asked_again(matching: Matching) -> None:
    await matching.register(*three_and_two())
    id = (await matching.draft_run())["run"]["id"]
    await factories.rows(matching.url, """UPDATE run SET plan = NULL, inputs = '{"clusters": []}'""")
    assert len((await matching.get(f"/runs/{id}"))["pairs"]) > 0
    for method, path, slug in (
        ("GET", "plan", "no-such-plan"),
        ("POST", "replay", "no-such-plan"),
        ("GET", f"explanations/{uuid4()}", "no-such-question"),
    ):
        reply = await matching.client.request(method, f"/runs/{id}/{path}", headers=OPERATOR)
        assert problem(reply) == (404, slug)
    assert problem(await matching.publish(id)) == (409, "inputs-changed")


async def test_wishes_are_met(matching: Matching) -> None:
    best, second, third, first, following = three_and_two()
    await matching.register(best, second, third, first, following)
    request: Json = {"forced": [pair_ids(third, first)], "forbidden": [pair_ids(best, following)]}
    pairs = (await matching.draft_run(**request))["pairs"]
    chosen = {(pair["mentor_id"], pair["learner_id"]) for pair in pairs}
    assert (str(third.id), str(first.id)) in chosen
    assert (str(best.id), str(following.id)) not in chosen
    weights = dict.fromkeys(make_weights(), 0) | {"languages": 3}
    only = await matching.draft_run(criteria={"weights": weights})
    assert {term["hundredths"] for pair in only["pairs"] for term in pair["terms"] if term["term"] != "languages"} == {
        0
    }


def make_weights() -> list[str]:
    names = "knowledge requests ecosystems cross_border value_chain languages record reciprocity novelty travel"
    return names.split()


async def test_what_cannot_be_wished_is_refused_with_its_field(matching: Matching) -> None:
    best, second, _, first, following = members = three_and_two()
    mute = member("Mute", {"foresight": 1}, {"foresight": 4}, languages=["mt"])
    await matching.register(*members, mute)
    wrong: list[tuple[Json, str]] = [
        ({"criteria": {"weights": dict.fromkeys(make_weights(), 0)}}, "weights"),
        ({"criteria": {"weights": {"knowledge": -1}}}, "knowledge"),
        ({"criteria": {"weights": {"charm": 1}}}, "charm"),
        ({"criteria": {"objective": "luckiest"}}, "objective"),
        ({"criteria": {"places": {str(uuid4()): {"mentor": 1}}}}, "criteria.places"),
        ({"criteria": {"places": {str(best.id): {"mentor": 1, "mentor_least": 2}}}}, "places"),
        ({"criteria": {"move_price": -1}}, "move_price"),
        ({"criteria": {}, "criteria_set_id": str(uuid4())}, "criteria_set_id"),
        ({"forced": [pair_ids(best, mute)]}, "forced"),
        ({"forced": [pair_ids(best, first)], "forbidden": [pair_ids(best, first)]}, "forced"),
        ({"forced": [pair_ids(best, first), pair_ids(best, following)]}, "forced"),
        ({"forbidden": [{"mentor_id": str(uuid4()), "learner_id": str(first.id)}]}, "forbidden"),
        ({"seed": -1}, "seed"),
    ]
    for request, field in wrong:
        reply = await matching.request_run(**request)
        assert reply.status_code == 422, request
        assert field in reply.text, request
    both = await matching.request_run(forced=[pair_ids(best, mute)], criteria={"places": {str(uuid4()): {"mentor": 1}}})
    assert {error["field"] for error in both.json()["errors"]} == {"forced", "criteria.places"}
    assert all(error["message"] in both.json()["detail"] for error in both.json()["errors"])
    pairs = await matching.publish_pairs(*members, mute)
    (live,) = [pair for pair in pairs if pair["mentor_id"] == str(best.id)]
    assert (await matching.accept(live["id"])).status_code == 200
    low = await matching.request_run(criteria={"places": {str(best.id): {"mentor": 0}}})
    assert low.status_code == 422
    assert low.json()["detail"] == "Best has 1 pair as mentor, more than 0 places."
    assert second.name == "Second"


async def test_what_has_changed_since_is_told_when_a_draft_is_published(matching: Matching, url: str) -> None:
    members = three_and_two()
    await matching.register(*members)
    id = (await matching.draft_run())["run"]["id"]
    await matching.deliver(capacity_changed(members[0].id, 9, 3, 1))
    newcomer = mentor("Newcomer")
    await matching.register(newcomer)
    reply = await matching.publish(id)
    assert problem(reply) == (409, "inputs-changed")
    assert "Newcomer has joined." in reply.json()["detail"]
    assert "Best has other places as mentor" in reply.json()["detail"]
    assert await factories.published_events(url) == []


async def test_others_do_not_see_a_plan_and_managers_do_not_replay(matching: Matching) -> None:
    members = three_and_two()
    await matching.register(*members)
    id = (await matching.draft_run())["run"]["id"]
    mine: dict[str, str] = manager_of(members[0])
    foreign = factories.signed_in(Role.coordinator, consortium=uuid4())
    paths: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "plan", mine),
        ("GET", f"explanations/{members[3].id}", mine),
    ]
    for method, path, caller in paths:
        assert (await matching.client.request(method, f"/runs/{id}/{path}", headers=caller)).status_code == 200
        assert (await matching.client.request(method, f"/runs/{id}/{path}", headers=foreign)).status_code == 404
    assert (await matching.client.post(f"/runs/{id}/replay", headers=mine)).status_code == 403
    assert (await matching.client.post(f"/runs/{id}/replay", headers=foreign)).status_code == 404
