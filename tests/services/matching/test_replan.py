"""Replans after events: debounced, within the bounds of the criteria, with the causing event named in each pair."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from shared.events.envelope import Stored
from shared.transport.local import LocalTransport
from tests.services.matching.actions import (
    SOLVE_DEADLINE,
    Json,
    Matching,
    Member,
    assessed,
    capacity_changed,
    completed,
    learner,
    member,
    mentor,
    target_set,
)
from tests.support import factories
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(60)
ALONE = {"mentor_capacity": 0}


@pytest.fixture
async def matching(url: str, transport: LocalTransport, build: factories.Build) -> AsyncIterator[Matching]:
    async with factories.running(build, url, transport=transport, replan_debounce_seconds=0.2) as client:
        yield Matching(client, url, transport)


async def publish_plan(matching: Matching, *members: Member, **request: Any) -> None:
    """Register clusters and publish a plan of them, as a coordinator does."""
    await matching.register(*members)
    run = (await matching.draft_run(**request))["run"]["id"]
    assert (await matching.publish(run)).status_code == 200


async def replan_after(matching: Matching, *events: Stored) -> Json:
    """Deliver events, and return the run that follows them."""
    await matching.deliver(*events)
    return await replanned(matching, *events)


async def replanned(matching: Matching, *events: Stored) -> Json:
    """The finished run that names these events as causes."""
    event_ids = {str(event.id) for event in events}

    async def ended() -> Json:
        runs = [run for run in (await matching.get("/runs", limit="100"))["items"] if run["causes"]]
        causes = {cause["event_id"] for run in runs for cause in run["causes"]}
        return runs[-1] if event_ids <= causes and runs[-1]["state"] != "running" else {}

    return await eventually(ended, SOLVE_DEADLINE)


async def newest_pair(matching: Matching, able: Member, baker: Member) -> Json | None:
    """The newest pair of two clusters."""
    ids = (str(able.id), str(baker.id))
    pairs = [pair for pair in await matching.pairs() if (pair["mentor_id"], pair["learner_id"]) == ids]
    return pairs[-1] if pairs else None


@pytest.mark.parametrize(
    ("kind", "places"), [("assessment", 1), ("target", 2), ("capacity", 1), ("training", 1), ("registered", 1)]
)
async def test_what_changes_supply_or_need_is_followed_and_named(matching: Matching, kind: str, places: int) -> None:
    able, baker = mentor("Able", mentor_capacity=places), learner("Baker", **ALONE)
    dora = member("Dora", {"foresight": 1, "strategy": 1}, mentor_capacity=1)
    cook = member("Cook", {"foresight": 1, "strategy": 1}, {"strategy": 3}, **ALONE)
    late = member("Late", {"strategy": 5})
    await publish_plan(matching, able, baker, dora, cook)
    events, teacher, pupil = {
        "assessment": ([assessed(dora.id, 9, {"strategy": 4})], dora, cook),
        "target": ([target_set(dora.id, 9, "foresight", 4)], able, dora),
        "training": ([completed({dora.id: {"strategy": 3}})], dora, cook),
        "capacity": ([assessed(able.id, 9, {"strategy": 5}), capacity_changed(able.id, 10, 2, 0)], able, cook),
        "registered": (late.events(), late, cook),
    }[kind]
    run = await replan_after(matching, *events)
    assert (run["state"], run["criteria"]["move_price"], run["criteria"]["most_moves"]) == ("published", 500, 3)
    pair = await newest_pair(matching, teacher, pupil)
    assert pair is not None
    assert (pair["state"], pair["run_id"], pair["version"]) == ("proposed", run["id"], 1)
    cause = {"event_id": str(events[-1].id), "type": events[-1].type}
    assert pair["cause"] in [cause | {"cluster_id": pair[side]} for side in ("mentor_id", "learner_id")]
    (event,) = [data for data in await matching.published_data("pair.proposed") if data["pair_id"] == pair["id"]]
    assert event["cause"] == pair["cause"]
    assert (await matching.published_data("run.published"))[-1]["pairs"] == 1
    assert (await newest_pair(matching, able, baker) or {})["state"] == "proposed", "what is open stays"


async def test_events_are_followed_together_when_they_rest(matching: Matching) -> None:
    able, learners = (
        mentor("Able", mentor_capacity=9),
        [member(f"L{n}", {"foresight": 1}, {}, **ALONE) for n in range(5)],
    )
    await publish_plan(matching, able, learner("Baker", **ALONE), *learners)
    events = [target_set(cluster.id, 9, "foresight", 3) for cluster in learners]
    run = await replan_after(matching, *events)
    assert {cause["event_id"] for cause in run["causes"]} == {str(event.id) for event in events}
    causes = {str(event.key): str(event.id) for event in events}
    pairs = [pair for pair in await matching.pairs() if pair["run_id"] == run["id"]]
    assert {pair["learner_id"]: pair["cause"]["event_id"] for pair in pairs} == causes


async def test_before_a_person_has_published_a_plan_nothing_follows(matching: Matching, url: str) -> None:
    await matching.register(mentor("Able"), learner("Baker"))
    await matching.draft_run()
    await matching.deliver(target_set(learner().id, 1, "foresight", 3))
    assert await factories.rows(url, "SELECT * FROM replan_cause") == []
    assert await matching.published_data("pair.proposed") == []


@pytest.mark.parametrize(
    ("bounds", "moved"),
    [({}, 1), ({"most_moves": 0}, 0), ({"move_price": 9000}, 0)],
)
async def test_open_proposals_move_within_bounds(matching: Matching, bounds: Mapping[str, int], moved: int) -> None:
    weak, baker = mentor("Weak", level=2, languages=["en"]), learner("Baker", learner_capacity=1, **ALONE)
    await publish_plan(matching, weak, baker, criteria=dict(bounds))
    strong = mentor("Strong")
    run = await replan_after(matching, *strong.events())
    assert run["state"] == ("published" if moved else "unchanged")
    assert (await newest_pair(matching, weak, baker) or {})["state"] == ("withdrawn" if moved else "proposed")
    assert (await newest_pair(matching, strong, baker) is not None) is bool(moved)
    assert [data["why"] for data in await matching.published_data("pair.withdrawn")] == ["plan"] * moved


async def test_a_proposal_that_has_become_pointless_is_taken_back(matching: Matching) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    await publish_plan(matching, able, baker)
    run = await replan_after(matching, assessed(baker.id, 9, {"foresight": 5}))
    (pair,) = await matching.pairs()
    assert (run["state"], pair["state"]) == ("published", "withdrawn")
    plan = await matching.get(f"/runs/{run['id']}/plan")
    assert [proposal["possible"] for proposal in plan["dropped"]] == [False]


@pytest.mark.parametrize(("replan", "state"), [("draft", "draft"), ("off", None)])
async def test_the_criteria_say_whether_a_plan_is_published(
    matching: Matching, url: str, replan: str, state: str | None
) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    cook = member("Cook", {"foresight": 1}, {}, **ALONE)
    await publish_plan(matching, able, baker, criteria={"replan": replan})
    event = target_set(cook.id, 9, "foresight", 3)
    await matching.register(cook)
    if state is None:
        await matching.deliver(event)

        async def discarded() -> bool:
            return await factories.rows(url, "SELECT * FROM replan_cause") == []

        assert await eventually(discarded)
        assert len((await matching.get("/runs"))["items"]) == 1
    else:
        run = await replan_after(matching, event)
        assert run["state"] == state
        assert (await matching.publish(run["id"])).status_code == 200
        assert (await newest_pair(matching, able, cook) or {})["cause"]["event_id"] == str(event.id)
    assert len(await matching.published_data("run.published")) == (2 if state else 1)


async def test_a_plan_waits_for_one_that_a_person_asked_for(matching: Matching, url: str) -> None:
    able, baker, cook = mentor("Able"), learner("Baker", **ALONE), member("Cook", {"foresight": 1}, {}, **ALONE)
    await publish_plan(matching, able, baker, cook)
    running = (
        "INSERT INTO run (id, consortium_id, state, total, criteria, inputs, inputs_hash, solver, heartbeat_at,"
        " version)"
        " VALUES ($1, $2, 'running', 0, '{}', '{}', '', '', now() + interval '1 hour', 1)"
    )
    await factories.rows(url, running, cook.id, factories.CONSORTIUM)
    event = target_set(cook.id, 9, "foresight", 3)
    await matching.deliver(event)
    assert [run["causes"] for run in (await matching.get("/runs"))["items"]] == [[], []]
    await factories.rows(url, "UPDATE run SET state = 'cancelled' WHERE id = $1", cook.id)
    assert (await replanned(matching, event))["state"] == "published"


async def test_nothing_is_planned_while_the_projection_is_built_anew(matching: Matching) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    await publish_plan(matching, able, baker)
    await matching.reset_projection()
    await matching.deliver(*able.events())
    assert [run["causes"] for run in (await matching.get("/runs"))["items"]] == [[]]
    run = await replan_after(matching, *baker.events())
    assert run["state"] == "unchanged"
    assert [pair["state"] for pair in await matching.pairs()] == ["proposed"]


async def test_a_consortium_that_cannot_be_replanned_does_not_stop_another(
    matching: Matching, url: str, logged: list[structlog.typing.EventDict]
) -> None:
    elsewhere = uuid4()
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    cook = member("Cook", {"foresight": 1}, {}, **ALONE)
    await matching.register(mentor(consortium_id=elsewhere), learner(consortium_id=elsewhere))
    broken = (await matching.draft_run(elsewhere))["run"]["id"]
    assert (await matching.publish(broken)).status_code == 200
    await publish_plan(matching, able, baker, cook)
    await factories.rows(url, """UPDATE run SET criteria = '{"objective": "none"}' WHERE id = $1""", UUID(broken))
    late = factories.cluster_registered_event(1, cluster_id=uuid4(), name="Late", consortium_id=elsewhere)
    await matching.deliver(late)

    async def failures() -> int:
        return [(entry["event"], entry.get("item")) for entry in logged].count(
            ("replan failed, retrying", str(elsewhere))
        )

    await eventually(failures)
    assert (await replan_after(matching, target_set(cook.id, 9, "foresight", 3)))["state"] == "published"
    assert await failures() > 1, "it is tried again and again"
    await factories.rows(url, "UPDATE run SET criteria = '{}' WHERE id = $1", UUID(broken))
    assert (await replanned(matching, late))["state"] == "unchanged"
