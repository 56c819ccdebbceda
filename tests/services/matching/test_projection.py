"""Rebuilding the projection: the same state from the same events, and nothing is published."""

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.events.envelope import Stored
from tests.services.matching.actions import (
    OPERATOR,
    Json,
    Matching,
    assessed,
    capacity_changed,
    completed,
    learner,
    mentor,
    problem,
    requested,
)
from tests.support import factories
from tests.support.waiting import eventually


@dataclass(frozen=True)
class OwnState:
    """The state that a rebuild must not change."""

    pairs: list[Json]
    runs: list[Json]
    used: list[dict[str, Any]]
    outbox: list[factories.PublishedEvent]


async def own_state(matching: Matching) -> OwnState:
    return OwnState(
        await matching.pairs(),
        (await matching.get("/runs"))["items"],
        await factories.rows(matching.url, "SELECT cluster_id, role, used FROM slots ORDER BY cluster_id, role"),
        await factories.published_events(matching.url),
    )


@pytest.fixture
async def history(matching: Matching) -> list[Stored]:
    """All events so far. One pair was accepted, one declined; one request had proposals, another had none."""
    able, other = mentor("Able", country="IT", mentor_capacity=2), mentor("Other", level=3)
    eager, late = learner("Eager"), learner("Late")
    members = [able, other, eager, late]
    joined = [event for cluster in members for event in cluster.events()]
    await matching.deliver(*joined)
    unmatched = requested(able.id, 4)
    await matching.deliver(unmatched)
    first, *_, last = await matching.publish_pairs(*members)
    assert (await matching.accept(first["id"])).status_code == 200
    assert (await matching.answer(last["id"], "mentor", "decline")).status_code == 200
    more = [
        *mentor("New", level=4).events(),
        capacity_changed(able.id, 9, 1, 2),
        completed({eager.id: {"foresight": 1}, late.id: {"foresight": 1, "strategy": 1}}),
        factories.cluster_changed_event(9, cluster_id=other.id, name="Another"),
        assessed(other.id, 10, {"foresight": 4}),
    ]
    await matching.deliver(*more)
    request = requested(late.id, 5)
    await matching.deliver(request)
    assert [pair["request_id"] is None for pair in await matching.pairs()] == [True] * 4 + [False]
    return [*joined, unmatched, *more, request]


async def test_a_rebuild_ends_in_the_same_state_and_publishes_nothing(
    matching: Matching, history: list[Stored]
) -> None:
    state, before = await matching.state_hash(), await own_state(matching)
    await matching.reset_projection()
    assert await matching.state_hash() != state
    assert problem(await matching.request_run()) == (404, "no-such-consortium")
    await matching.deliver(*history)
    assert await matching.state_hash() == state
    assert await own_state(matching) == before


async def test_it_makes_no_difference_in_which_order_they_come_back(matching: Matching, history: list[Stored]) -> None:
    state, before = await matching.state_hash(), await own_state(matching)
    chance = random.Random(7)
    for _ in range(3):
        await matching.reset_projection()
        await matching.deliver(*chance.sample(history, len(history)))
        assert await matching.state_hash() == state
        assert await own_state(matching) == before


async def test_a_request_that_had_no_answer_gets_none_later(matching: Matching, url: str) -> None:
    asking, strong = learner("Asking"), mentor("Strong")
    request = requested(asking.id, 4)
    await matching.deliver(*asking.events(), request)
    await matching.register(strong)
    assert await factories.published_events(url) == []
    await matching.reset_projection()
    await matching.deliver(*strong.events(), *asking.events(), request)
    assert await factories.published_events(url) == []
    await matching.deliver(requested(asking.id, 5))
    assert [data["mentor_id"] for data in await matching.published_data("pair.proposed")] == [str(strong.id)]


async def test_while_nothing_is_known_no_place_is_given(matching: Matching) -> None:
    able, eager = mentor("Able"), learner("Eager")
    (pair,) = await matching.register_and_publish(able, eager)
    await matching.answer(pair["id"], "mentor")
    await matching.reset_projection()
    reply = await matching.answer(pair["id"], "learner", version=2)
    assert problem(reply) == (409, "no-free-place")
    await matching.deliver(*able.events(), *eager.events())
    assert (await matching.answer(pair["id"], "learner", version=2)).status_code == 200


async def test_what_an_operator_gave_up_stays_given_up(matching: Matching, url: str) -> None:
    good = mentor().events()
    poison = replace(good[0], data=b"{}")
    await factories.deliver(matching.transport, poison)

    async def state() -> list[str]:
        rows = await factories.rows(url, "SELECT state FROM inbox WHERE event_id = $1", poison.id)
        return [str(row["state"]) for row in rows]

    async def dead() -> bool:
        return await state() == ["dead"]

    await eventually(dead)
    await matching.reset_projection()
    assert await dead()
    body = {"action": "discard", "consumer": "matching"}
    assert (await matching.client.post("/ops/dead-letters", json=body, headers=OPERATOR)).json() == {"count": 1}
    await matching.reset_projection()
    await factories.deliver(matching.transport, poison)
    await matching.deliver(*good[1:])
    assert await state() == ["discarded"]


async def test_forgetting_while_events_arrive_and_pairs_are_answered(matching: Matching) -> None:
    able = mentor("Able", mentor_capacity=20)
    learners = [learner(f"Learner {number}") for number in range(10)]
    members = [able, *learners]
    history = [event for cluster in members for event in cluster.events()]
    await matching.deliver(*history)
    requests = [requested(cluster.id, 4) for cluster in learners]
    await matching.deliver(*requests)
    pairs = [pair["id"] for pair in await matching.pairs()]
    await asyncio.gather(*(matching.answer(pair, "mentor") for pair in pairs))
    new = [capacity_changed(cluster.id, version, 20, 3) for version in (9, 10, 11) for cluster in members]
    forgetting, answers, _ = await asyncio.gather(
        asyncio.gather(*(matching.client.delete("/projection", headers=OPERATOR) for _ in range(3))),
        asyncio.gather(*(matching.answer(pair, "learner", version=2) for pair in pairs)),
        asyncio.gather(*(factories.deliver(matching.transport, event) for event in new)),
    )
    assert {reply.status_code for reply in forgetting} == {204}
    assert {reply.status_code for reply in answers} <= {200, 409}
    everything = [*history, *requests, *new]
    await matching.deliver(*everything)
    state = await matching.state_hash()
    await matching.reset_projection()
    await matching.deliver(*everything)
    assert await matching.state_hash() == state
    assert await matching.used_slots(able, "mentor") == len(await matching.published_data("pair.accepted"))
