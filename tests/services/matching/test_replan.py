"""Plans that follow events: once these have come to rest, within bounds, and with the event told that caused a pair."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from shared.events.envelope import Stored
from shared.transport.local import LocalTransport
from tests.services.matching.actions import (
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


async def published(matching: Matching, *members: Member, **wish: Any) -> None:
    """The clusters join, and a person publishes a plan of them."""
    await matching.knows(*members)
    run = (await matching.run(**wish))["run"]["id"]
    assert (await matching.publish(run)).status_code == 200


async def followed(matching: Matching, *events: Stored) -> Json:
    """The run that follows these events."""
    await matching.hears(*events)
    return await after(matching, *events)


async def after(matching: Matching, *events: Stored) -> Json:
    """The run that follows events that were heard of."""
    told = {str(event.id) for event in events}

    async def ended() -> Json:
        runs = [one for one in (await matching.get("/runs", limit="100"))["items"] if one["causes"]]
        causes = {cause["event_id"] for one in runs for cause in one["causes"]}
        return runs[-1] if told <= causes and runs[-1]["state"] != "running" else {}

    return await eventually(ended)


async def ask(matching: Matching, one: Member, other: Member) -> Json | None:
    """The newest pair of two clusters."""
    ids = (str(one.id), str(other.id))
    found = [pair for pair in await matching.pairs() if (pair["mentor_id"], pair["learner_id"]) == ids]
    return found[-1] if found else None


@pytest.mark.parametrize(
    ("kind", "places"), [("assessment", 1), ("target", 2), ("capacity", 1), ("training", 1), ("registered", 1)]
)
async def test_what_changes_supply_or_need_is_followed_and_named(matching: Matching, kind: str, places: int) -> None:
    able, baker = mentor("Able", mentor_capacity=places), learner("Baker", **ALONE)
    dora = member("Dora", {"foresight": 1, "strategy": 1}, mentor_capacity=1)
    cook = member("Cook", {"foresight": 1, "strategy": 1}, {"strategy": 3}, **ALONE)
    late = member("Late", {"strategy": 5})
    await published(matching, able, baker, dora, cook)
    events, one, other = {
        "assessment": ([assessed(dora.id, 9, {"strategy": 4})], dora, cook),
        "target": ([target_set(dora.id, 9, "foresight", 4)], able, dora),
        "training": ([completed({dora.id: {"strategy": 3}})], dora, cook),
        "capacity": ([assessed(able.id, 9, {"strategy": 5}), capacity_changed(able.id, 10, 2, 0)], able, cook),
        "registered": (late.events(), late, cook),
    }[kind]
    run = await followed(matching, *events)
    assert (run["state"], run["criteria"]["move_price"], run["criteria"]["most_moves"]) == ("published", 500, 3)
    pair = await ask(matching, one, other)
    assert pair is not None
    assert (pair["state"], pair["run_id"], pair["version"]) == ("proposed", run["id"], 1)
    cause = {"event_id": str(events[-1].id), "type": events[-1].type}
    assert pair["cause"] in [cause | {"cluster_id": pair[side]} for side in ("mentor_id", "learner_id")]
    (told,) = [data for data in await matching.told("pair.proposed") if data["pair_id"] == pair["id"]]
    assert told["cause"] == pair["cause"]
    assert (await matching.told("run.published"))[-1]["pairs"] == 1
    assert (await ask(matching, able, baker) or {})["state"] == "proposed", "what is open stays"


async def test_events_are_followed_together_when_they_rest(matching: Matching) -> None:
    able, learners = (
        mentor("Able", mentor_capacity=9),
        [member(f"L{n}", {"foresight": 1}, {}, **ALONE) for n in range(5)],
    )
    await published(matching, able, learner("Baker", **ALONE), *learners)
    events = [target_set(one.id, 9, "foresight", 3) for one in learners]
    run = await followed(matching, *events)
    assert {cause["event_id"] for cause in run["causes"]} == {str(one.id) for one in events}
    causes = {str(one.key): str(one.id) for one in events}
    pairs = [pair for pair in await matching.pairs() if pair["run_id"] == run["id"]]
    assert {pair["learner_id"]: pair["cause"]["event_id"] for pair in pairs} == causes


async def test_before_a_person_has_published_a_plan_nothing_follows(matching: Matching, url: str) -> None:
    await matching.knows(mentor("Able"), learner("Baker"))
    await matching.run()
    await matching.hears(target_set(learner().id, 1, "foresight", 3))
    assert await factories.rows(url, "SELECT * FROM replan_cause") == []
    assert await matching.told("pair.proposed") == []


@pytest.mark.parametrize(
    ("wish", "moved"),
    [({}, 1), ({"most_moves": 0}, 0), ({"move_price": 9000}, 0)],
)
async def test_open_proposals_move_within_bounds(matching: Matching, wish: Mapping[str, int], moved: int) -> None:
    weak, baker = mentor("Weak", level=2, languages=["en"]), learner("Baker", learner_capacity=1, **ALONE)
    await published(matching, weak, baker, criteria=dict(wish))
    strong = mentor("Strong")
    run = await followed(matching, *strong.events())
    assert run["state"] == ("published" if moved else "unchanged")
    assert (await ask(matching, weak, baker) or {})["state"] == ("withdrawn" if moved else "proposed")
    assert (await ask(matching, strong, baker) is not None) is bool(moved)
    assert [data["why"] for data in await matching.told("pair.withdrawn")] == ["plan"] * moved


async def test_a_proposal_that_has_become_pointless_is_taken_back(matching: Matching) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    await published(matching, able, baker)
    run = await followed(matching, assessed(baker.id, 9, {"foresight": 5}))
    (pair,) = await matching.pairs()
    assert (run["state"], pair["state"]) == ("published", "withdrawn")
    plan = await matching.get(f"/runs/{run['id']}/plan")
    assert [one["possible"] for one in plan["dropped"]] == [False]


@pytest.mark.parametrize(("replan", "state"), [("draft", "draft"), ("off", None)])
async def test_the_criteria_say_whether_a_plan_is_published(
    matching: Matching, url: str, replan: str, state: str | None
) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    cook = member("Cook", {"foresight": 1}, {}, **ALONE)
    await published(matching, able, baker, criteria={"replan": replan})
    event = target_set(cook.id, 9, "foresight", 3)
    await matching.knows(cook)
    if state is None:
        await matching.hears(event)

        async def forgotten() -> bool:
            return await factories.rows(url, "SELECT * FROM replan_cause") == []

        assert await eventually(forgotten)
        assert len((await matching.get("/runs"))["items"]) == 1
    else:
        run = await followed(matching, event)
        assert run["state"] == state
        assert (await matching.publish(run["id"])).status_code == 200
        assert (await ask(matching, able, cook) or {})["cause"]["event_id"] == str(event.id)
    assert len(await matching.told("run.published")) == (2 if state else 1)


async def test_a_plan_waits_for_one_that_a_person_asked_for(matching: Matching, url: str) -> None:
    able, baker, cook = mentor("Able"), learner("Baker", **ALONE), member("Cook", {"foresight": 1}, {}, **ALONE)
    await published(matching, able, baker, cook)
    begun = (
        "INSERT INTO run (id, consortium_id, state, total, criteria, inputs, inputs_hash, solver, beat_at, version)"
        " VALUES ($1, $2, 'running', 0, '{}', '{}', '', '', now() + interval '1 hour', 1)"
    )
    await factories.rows(url, begun, cook.id, factories.CONSORTIUM)
    event = target_set(cook.id, 9, "foresight", 3)
    await matching.hears(event)
    assert [one["causes"] for one in (await matching.get("/runs"))["items"]] == [[], []]
    await factories.rows(url, "UPDATE run SET state = 'cancelled' WHERE id = $1", cook.id)
    assert (await after(matching, event))["state"] == "published"


async def test_nothing_is_planned_while_the_projection_is_built_anew(matching: Matching) -> None:
    able, baker = mentor("Able"), learner("Baker", **ALONE)
    await published(matching, able, baker)
    await matching.forget()
    await matching.hears(*able.events())
    assert [one["causes"] for one in (await matching.get("/runs"))["items"]] == [[]]
    run = await followed(matching, *baker.events())
    assert run["state"] == "unchanged"
    assert [pair["state"] for pair in await matching.pairs()] == ["proposed"]
