"""Criteria sets: versions under a name, drafts that change, published versions that never do, runs that use them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.matching.rules.inputs.criteria import Criteria
from shared.auth import Role
from tests.services.matching.actions import OPERATOR, Json, Matching, if_match, learner, mentor, problem
from tests.support import factories

FAIR = {"objective": "fairest"}


async def draft(
    matching: Matching, criteria: Json | None = None, headers: dict[str, str] = OPERATOR, **other: Any
) -> httpx2.Response:
    body = {"consortium_id": str(factories.CONSORTIUM), "name": "Winter", "criteria": criteria or FAIR} | other
    return await matching.client.post("/criteria-sets", json=body, headers=headers)


async def publish(matching: Matching, id: str, version: int = 1, headers: dict[str, str] = OPERATOR) -> httpx2.Response:
    return await matching.client.post(f"/criteria-sets/{id}/publication", headers=headers | if_match(version))


async def change(matching: Matching, id: str, criteria: Json, version: int = 1) -> httpx2.Response:
    body = {"criteria": criteria}
    return await matching.client.put(f"/criteria-sets/{id}", json=body, headers=OPERATOR | if_match(version))


async def test_a_draft_is_changed_and_published_and_then_stays(matching: Matching) -> None:
    await matching.register(mentor())
    reply = await draft(matching)
    created = reply.json()
    assert (reply.status_code, reply.headers["etag"]) == (201, '"v1"')
    assert reply.headers["location"] == f"criteria-sets/{created['id']}"
    assert (created["name"], created["number"], created["state"]) == ("Winter", 1, "draft")
    assert created["criteria"] == Criteria(objective="fairest").model_dump(mode="json"), "all of it is kept"
    changed = await change(matching, created["id"], {"objective": "pairs", "move_price": 5})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')
    assert (changed.json()["criteria"]["objective"], changed.json()["criteria"]["move_price"]) == ("pairs", 5)
    assert problem(await change(matching, created["id"], FAIR)) == (412, "stale")
    assert problem(await publish(matching, created["id"])) == (412, "stale")
    assert (await publish(matching, created["id"], 2)).json()["state"] == "published"
    assert problem(await publish(matching, created["id"], 3)) == (409, "criteria-published")
    assert problem(await change(matching, created["id"], FAIR, 3)) == (409, "criteria-published")
    shown = await matching.get(f"/criteria-sets/{created['id']}")
    assert shown["criteria"] == changed.json()["criteria"]
    assert (await matching.get("/criteria-sets"))["items"] == [shown]


async def test_versions_are_numbered_under_their_name_also_when_many_come_at_once(matching: Matching) -> None:
    await matching.register(mentor())
    replies = await asyncio.gather(*(draft(matching) for _ in range(8)), draft(matching, name="Summer"))
    assert {reply.status_code for reply in replies} == {201}
    *winter, summer = [reply.json()["number"] for reply in replies]
    assert sorted(winter) == list(range(1, 9))
    assert summer == 1


async def test_a_run_is_made_by_published_criteria_and_says_which(matching: Matching) -> None:
    await matching.register(mentor(), learner())
    id = (await draft(matching)).json()["id"]
    assert problem(await matching.request_run(criteria_set_id=id)) == (409, "criteria-not-published")
    supposed = {"consortium_id": str(factories.CONSORTIUM), "name": "What if", "criteria_set_id": id}
    what_if = await matching.client.post("/what-ifs", json=supposed, headers=OPERATOR)
    assert what_if.status_code == 201, "a draft is there to be tried"
    await publish(matching, id)
    run = (await matching.draft_run(criteria_set_id=id))["run"]
    assert run["criteria_set_id"] == id
    assert run["criteria"]["objective"] == "fairest"
    assert (await matching.draft_run(criteria=FAIR))["run"]["criteria_set_id"] is None
    both = await matching.request_run(criteria_set_id=id, criteria=FAIR)
    assert both.status_code == 422
    assert problem(await matching.request_run(criteria_set_id=str(uuid4()))) == (404, "no-such-criteria")


async def test_criteria_are_the_business_of_their_consortium(matching: Matching) -> None:
    elsewhere = uuid4()
    await matching.register(mentor(), mentor(consortium_id=elsewhere), learner(consortium_id=elsewhere))
    id = (await draft(matching)).json()["id"]
    await publish(matching, id)
    own = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)
    stranger = factories.signed_in(Role.coordinator, consortium=elsewhere)
    manager = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=uuid4())
    assert problem(await draft(matching, headers=stranger)) == (404, "no-such-consortium")
    assert problem(await draft(matching, consortium_id=str(uuid4()))) == (404, "no-such-consortium")
    assert problem(await draft(matching, headers=manager)) == (403, "forbidden")
    assert problem(await publish(matching, id, 2, manager)) == (403, "forbidden")
    assert problem(await publish(matching, id, 2, stranger)) == (404, "no-such-criteria")
    assert problem(await matching.client.get(f"/criteria-sets/{id}", headers=stranger)) == (404, "no-such-criteria")
    assert problem(await matching.request_run(UUID(str(elsewhere)), criteria_set_id=id)) == (404, "no-such-criteria")
    assert (await matching.get("/criteria-sets", stranger))["items"] == []
    assert [item["id"] for item in (await matching.get("/criteria-sets", own))["items"]] == [id]
    assert (await matching.get(f"/criteria-sets/{id}", manager))["id"] == id


async def test_bad_criteria_are_refused_by_the_name_of_their_field(matching: Matching) -> None:
    await matching.register(mentor())
    nothing = dict.fromkeys(Criteria().weights.model_dump(), 0)
    for bad, field in (
        ({"weights": {"charm": 1}}, "charm"),
        ({"weights": nothing}, "weights"),
        ({"weights": {"knowledge": 0.5}}, "knowledge"),
        ({"objective": "best"}, "objective"),
        ({"reserve": {"days": 0}}, "days"),
    ):
        reply = await draft(matching, bad)
        assert reply.status_code == 422, bad
        assert any(field in error["field"] for error in reply.json()["errors"]), reply.json()
    assert (await matching.get("/criteria-sets"))["items"] == []


async def test_the_schema_tells_what_can_be_set(matching: Matching) -> None:
    schema = await matching.get("/criteria-schema")
    assert set(schema["properties"]) == set(Criteria.model_fields)
    assert all("description" in weight for weight in schema["$defs"]["Weights"]["properties"].values())


async def test_a_what_if_stands_beside_the_last_published_plan(matching: Matching) -> None:
    able = mentor("Able", mentor_capacity=2)
    await matching.register(able, learner("One"), learner("Two"))
    closed = {"places": {str(able.id): {"mentor": 0}}}
    run = await matching.draft_run(criteria=closed)
    body = {"consortium_id": str(factories.CONSORTIUM), "name": "Both"}
    compared = (await matching.client.post("/what-ifs", json=body, headers=OPERATOR)).json()["comparison"]
    assert compared["before"]["pairs"] == 2, "a draft is nobody's plan yet"
    assert (await matching.publish(run["run"]["id"])).status_code == 200
    compared = (await matching.client.post("/what-ifs", json=body, headers=OPERATOR)).json()["comparison"]
    assert (compared["before"]["pairs"], compared["after"]["pairs"]) == (0, 2)
