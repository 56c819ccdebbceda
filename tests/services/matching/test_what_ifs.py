"""What-ifs over HTTP: planned and stored without any effect on live plans."""

from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.auth import Role
from tests.services.matching.actions import (
    FRAMEWORK,
    OPERATOR,
    Json,
    Matching,
    Member,
    capacity_changed,
    learner,
    manager_of,
    mentor,
    problem,
)
from tests.support import factories


async def suppose(
    matching: Matching, consortium: UUID = factories.CONSORTIUM, headers: dict[str, str] = OPERATOR, **changes: Any
) -> httpx2.Response:
    body = {"consortium_id": str(consortium), "name": "What if"} | changes
    return await matching.client.post("/what-ifs", json=body, headers=headers)


async def supposed(matching: Matching, **changes: Any) -> Json:
    reply = await suppose(matching, **changes)
    assert reply.status_code == 201, reply.text
    what_if: Json = reply.json()
    assert reply.headers["location"] == f"what-ifs/{what_if['id']}"
    return what_if


def pair_ids(mentor: Member, learner: Member) -> Json:
    return {"mentor_id": str(mentor.id), "learner_id": str(learner.id)}


async def test_it_is_planned_beside_what_is_so_and_nothing_comes_of_it(matching: Matching, url: str) -> None:
    able, first, following = mentor("Able", mentor_capacity=1), learner("First"), learner("Next")
    await matching.register(able, first, following)
    more = {"places": {str(able.id): {"mentor": 2}}}
    what_if = await supposed(matching, criteria=more)
    compared = what_if["comparison"]
    assert (compared["before"]["pairs"], compared["after"]["pairs"]) == (1, 2)
    assert (compared["before"]["served"], compared["after"]["served"]) == (1, 2)
    assert compared["dropped"] == []
    (gained,) = compared["shifts"]
    assert gained["before"] == 0
    assert gained["after"] == compared["after"]["total"] - compared["before"]["total"]
    assert len((await matching.get(f"/what-ifs/{what_if['id']}/plan"))["pairs"]) == 2
    shown = await matching.get(f"/what-ifs/{what_if['id']}")
    assert shown.pop("criteria")["places"][str(able.id)]["mentor"] == 2
    assert shown == what_if | {"forced": [], "forbidden": []}
    assert (await matching.get("/what-ifs"))["items"] == [what_if]
    assert (await matching.get("/runs"))["items"] == []
    assert await factories.published_events(url) == []


async def test_levels_targets_and_clusters_are_supposed(matching: Matching) -> None:
    able, weak, eager = mentor("Able", mentor_capacity=1), mentor("Weak", level=1), learner("Eager")
    await matching.register(able, weak, eager)
    at = {"framework": FRAMEWORK, "indicator": "foresight"}
    without_mentor = await supposed(matching, without=[str(able.id)])
    assert (without_mentor["comparison"]["before"]["pairs"], without_mentor["comparison"]["after"]["pairs"]) == (1, 0)
    better = await supposed(matching, without=[str(able.id)], levels=[{"cluster_id": str(weak.id), "level": 5} | at])
    assert better["comparison"]["added"] == [[str(weak.id), str(eager.id)]]
    content = await supposed(matching, targets=[{"cluster_id": str(eager.id), "level": 1, "priority": 1} | at])
    assert content["comparison"]["after"]["pairs"] == 0
    assert [item["only_the_plan"] for item in (without_mentor, better, content)] == [False] * 3


async def test_a_draft_is_made_of_what_can_be_decided(matching: Matching) -> None:
    able, other, eager = mentor("Able"), mentor("Other", level=3), learner("Eager", learner_capacity=1)
    await matching.register(able, other, eager)
    what_if = await supposed(matching, forced=[pair_ids(other, eager)], forbidden=[pair_ids(eager, other)])
    shown = await matching.get(f"/what-ifs/{what_if['id']}")
    assert (shown["forced"], shown["forbidden"]) == ([pair_ids(other, eager)], [pair_ids(eager, other)])
    reply = await matching.client.post(f"/what-ifs/{what_if['id']}/drafts", headers=OPERATOR)
    assert reply.status_code == 201
    run = reply.json()
    (pair,) = (await matching.finished_run(run["id"]))["pairs"]
    assert (pair["mentor_id"], pair["state"], run["state"]) == (str(other.id), "draft", "running")
    assert reply.headers["location"] == f"../../runs/{run['id']}"
    assert (await matching.publish(run["id"])).status_code == 200
    only = await supposed(matching, without=[str(able.id)])
    refused = await matching.client.post(f"/what-ifs/{only['id']}/drafts", headers=OPERATOR)
    assert problem(refused) == (409, "only-supposed")


async def test_what_contradicts_itself_is_refused(matching: Matching) -> None:
    able, eager = mentor("Able"), learner("Eager")
    await matching.register(able, eager)
    stranger = str(uuid4())
    both = await suppose(matching, forced=[pair_ids(able, eager)], forbidden=[pair_ids(able, eager)])
    assert problem(both) == (422, "not-possible")
    assert problem(await suppose(matching, without=[stranger])) == (404, "no-such-cluster")
    assert problem(await suppose(matching, consortium=uuid4())) == (404, "no-such-consortium")
    refused = await suppose(matching, without=[str(able.id)], forced=[pair_ids(able, eager)])
    assert problem(refused) == (422, "not-possible")
    assert (await suppose(matching, criteria={"weights": {"charm": 1}})).status_code == 422


async def test_open_proposals_may_be_weighed(matching: Matching) -> None:
    weak, eager = mentor("Weak", level=2, mentor_capacity=1), learner("Eager", learner_capacity=1)
    await matching.register_and_publish(weak, eager)
    able = mentor("Able")
    await matching.register(able)
    what_if = await supposed(matching, criteria={"move_price": 100})
    plan = await matching.get(f"/what-ifs/{what_if['id']}/plan")
    assert [pair["mentor_id"] for pair in plan["dropped"]] == [str(weak.id)]
    assert [pair["mentor_id"] for pair in plan["pairs"]] == [str(able.id)]


async def test_managers_suppose_and_coordinators_make_drafts_of_their_own_consortium(matching: Matching) -> None:
    able, eager = mentor("Able"), learner("Eager")
    await matching.register(able, eager)
    mine = manager_of(able)
    what_if = (await suppose(matching, headers=mine)).json()
    foreign = factories.signed_in(Role.coordinator, consortium=uuid4())
    assert problem(await suppose(matching, headers=foreign))[0] == 404
    drafts = f"/what-ifs/{what_if['id']}/drafts"
    assert (await matching.client.post(drafts, headers=mine)).status_code == 403
    assert (await matching.client.post(drafts, headers=foreign)).status_code == 404
    for path in (f"/what-ifs/{what_if['id']}", f"/what-ifs/{what_if['id']}/plan"):
        assert (await matching.client.get(path, headers=mine)).status_code == 200
        assert (await matching.client.get(path, headers=foreign)).status_code == 404
    await matching.deliver(capacity_changed(able.id, 9, 0, 0))
    assert (await matching.get(f"/what-ifs/{what_if['id']}"))["comparison"] == what_if["comparison"]
