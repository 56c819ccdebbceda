"""The consumer: one state for any order of events, and proposals for service requests."""

import json
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

from shared.auth import Role
from shared.events.envelope import Stored
from tests.services.matching.actions import (
    NO_FREEZE,
    Json,
    Matching,
    assessed,
    capacity_changed,
    completed,
    learner,
    member,
    mentor,
    requested,
    target_set,
)
from tests.support import factories
from tests.support.waiting import eventually

ID = uuid4()


async def clusters(url: str) -> list[tuple[str, int]]:
    return [(row["name"], row["version"]) for row in await factories.rows(url, "SELECT name, version FROM cluster")]


async def slots(url: str, cluster: UUID = ID) -> dict[str, tuple[int, int]]:
    """Capacity and version by role."""
    query = "SELECT role, capacity, version FROM slots WHERE cluster_id = $1"
    return {row["role"]: (row["capacity"], row["version"]) for row in await factories.rows(url, query, cluster)}


async def levels(url: str, cluster: UUID = ID) -> dict[str, tuple[int, int]]:
    query = "SELECT indicator, level, version FROM level WHERE cluster_id = $1"
    return {row["indicator"]: (row["level"], row["version"]) for row in await factories.rows(url, query, cluster)}


def registered(name: str = "INNOSKART", **other: Any) -> Stored:
    return factories.cluster_registered_event(cluster_id=ID, name=name, **other)


# --- the projection


async def test_a_cluster_becomes_known_once(matching: Matching, url: str) -> None:
    event = registered(mentor_capacity=3)
    await matching.deliver(event, event)
    before = await matching.state_hash()
    assert await clusters(url) == [("INNOSKART", 1)]
    assert await slots(url) == {"mentor": (3, 1), "learner": (2, 1)}
    await factories.deliver(matching.transport, event)
    await matching.deliver(replace(event, id=uuid4()))
    assert await matching.state_hash() == before


async def test_an_older_version_changes_nothing(matching: Matching, url: str) -> None:
    newest = [
        factories.cluster_changed_event(9, cluster_id=ID, name="new"),
        capacity_changed(ID, 10, 4, 5),
        assessed(ID, 11, {"foresight": 4}),
        target_set(ID, 12, "foresight", 5),
    ]
    await matching.deliver(*newest)
    before = await matching.state_hash()
    await matching.deliver(
        registered("first"),
        factories.cluster_changed_event(5, cluster_id=ID, name="old"),
        capacity_changed(ID, 6, 1, 1),
        target_set(ID, 8, "foresight", 2),
    )
    assert await matching.state_hash() == before
    await matching.deliver(assessed(ID, 7, {"foresight": 1}))
    assert await clusters(url) == [("new", 9)]
    assert await slots(url) == {"mentor": (4, 10), "learner": (5, 10)}
    assert await levels(url) == {"foresight": (4, 11)}
    assert [tuple(row.values()) for row in await factories.rows(url, "SELECT level, version FROM target")] == [(5, 12)]
    history = await factories.rows(url, "SELECT version, level FROM measurement ORDER BY version")
    assert [tuple(row.values()) for row in history] == [(7, 1), (11, 4)], "what it could before is history, not lost"


async def test_each_indicator_has_its_own_newest_level(matching: Matching, url: str) -> None:
    both, newer = assessed(ID, 2, {"foresight": 1, "strategy": 2}), assessed(ID, 3, {"foresight": 3})
    await matching.deliver(both, newer, assessed(ID, 4, {}))
    assert await levels(url) == {"foresight": (3, 3), "strategy": (2, 2)}


async def test_fields_of_a_later_time_are_passed_over(matching: Matching, url: str) -> None:
    event = registered()
    data = json.dumps(json.loads(event.data) | {"mood": "good"}).encode()
    await matching.deliver(replace(event, data=data))
    assert await clusters(url) == [("INNOSKART", 1)]


async def test_what_cannot_be_read_is_set_aside(matching: Matching, url: str) -> None:
    poison = replace(registered(), data=b"{}")
    await factories.deliver(matching.transport, poison, factories.cluster_changed_event(2, cluster_id=ID, name="read"))

    async def dead() -> list[Json]:
        items: list[Json] = (await matching.get("/ops/dead-letters"))["items"]
        return items

    (letter,) = await eventually(dead)
    assert letter["event_id"] == str(poison.id)
    assert "cluster_id" in letter["reason"]

    async def read() -> bool:
        return await clusters(url) == [("read", 2)]

    await eventually(read)


def history(cluster: UUID) -> list[Stored]:
    """The events of members about one cluster, in order."""
    return [
        factories.cluster_registered_event(1, cluster_id=cluster, mentor_capacity=2, learner_capacity=2),
        capacity_changed(cluster, 2, 3, 1),
        assessed(cluster, 3, {"foresight": 2, "strategy": 4}),
        target_set(cluster, 4, "foresight", 4, priority=5),
        assessed(cluster, 5, {"foresight": 3}, date(2017, 5, 1)),
    ]


async def test_every_order_of_a_clusters_events_ends_in_one_state(matching: Matching, url: str) -> None:
    orders = list(permutations(range(5)))
    histories = [history(uuid4()) for _ in orders]
    await matching.deliver(*(event for events in histories for event in events))
    in_order = await matching.state_hash()
    await matching.reset_projection()
    assert await matching.state_hash() != in_order
    await matching.deliver(*(events[n] for events, order in zip(histories, orders, strict=True) for n in order))
    assert await matching.state_hash() == in_order
    for events in histories:
        assert await slots(url, events[0].key) == {"mentor": (3, 2), "learner": (1, 2)}
    assert await levels(url, histories[-1][0].key) == {"foresight": (3, 5), "strategy": (4, 3)}


async def test_a_training_may_be_heard_of_before_during_and_after(matching: Matching) -> None:
    events = history(ID)
    training = completed({ID: {"foresight": 1, "strategy": 1}, uuid4(): {"foresight": 2}})
    states = set()
    for place in range(len(events) + 1):
        await matching.reset_projection()
        for event in (*events[:place], training, *events[place:]):
            await matching.deliver(event)
        states.add(await matching.state_hash())
    assert len(states) == 1


async def test_a_gain_counts_until_it_is_measured(matching: Matching) -> None:
    able, eager = mentor("Able", level=4), learner("Eager")
    await matching.register(able, eager)

    async def reason() -> str:
        (pair,) = (await matching.draft_run())["pairs"]
        return next(str(term["reason"]) for term in pair["terms"] if term["term"] == "knowledge")

    assert "foresight (4 to 1)" in await reason()
    training = completed({eager.id: {"foresight": 1}})
    await matching.deliver(training, training)
    await matching.deliver(replace(training, id=uuid4()))
    assert "foresight (4 to 2)" in await reason()
    await matching.deliver(assessed(eager.id, 9, {"foresight": 3}, date(2017, 9, 1)))
    assert "foresight (4 to 3)" in await reason()


# --- proposals for a request


async def test_a_request_proposes_the_best_mentors_with_a_free_place(matching: Matching, url: str) -> None:
    asking = member("Asking", {"foresight": 2, "strategy": 1}, {"foresight": 5})
    mentors = [mentor(f"Level {level}", level) for level in (3, 4, 5)]
    near = mentor("Level 5 at home", country="HU")
    far = mentor("Level 5 abroad", country="IT")
    excluded = [
        mentor("No place", country="IT", mentor_capacity=0),
        mentor("No better", level=2, country="IT"),
        mentor("No common language", country="IT", languages=["sr"]),
        member("Better in another thing", {"foresight": 2, "strategy": 5}, country="IT"),
        mentor("Elsewhere", country="IT", consortium_id=uuid4()),
    ]
    await matching.register(asking, *mentors[:2], near, far, *excluded)
    request = requested(asking.id, 4)
    await matching.deliver(request)
    published = await factories.published_events(url)
    assert [(kind, version) for kind, version, _ in published] == [("pair.proposed", 1)] * 3
    proposed = [data for _, _, data in published]
    assert [pair["mentor_id"] for pair in proposed] == [str(pair.id) for pair in (far, near, mentors[1])]
    assert [pair["score_hundredths"] for pair in proposed] == sorted(
        (pair["score_hundredths"] for pair in proposed), reverse=True
    )
    request_id = json.loads(request.data)["request_id"]
    for pair in proposed:
        assert (pair["learner_id"], pair["request_id"], pair["run_id"]) == (str(asking.id), request_id, None)
        assert sum(term["hundredths"] for term in pair["terms"]) == pair["score_hundredths"]
        (reason,) = [term["reason"] for term in pair["terms"] if term["term"] == "requests"]
        assert reason.endswith("can answer its open request for foresight.")
    assert {pair["state"] for pair in await matching.pairs()} == {"proposed"}


async def test_live_pairs_are_not_proposed_again(matching: Matching) -> None:
    asking = member("Asking", {"foresight": 1, "strategy": 1})
    both = [member(f"Both {n}", {"foresight": 5, "strategy": 5}, country="IT") for n in range(3)]
    last = member("Last", {"strategy": 3})
    await matching.register(asking, *both, last)
    await matching.deliver(requested(asking.id, 3, "foresight"))
    pairs = await matching.pairs()
    assert {pair["mentor_id"] for pair in pairs} == {str(mentor.id) for mentor in both}
    assert (await matching.answer(pairs[0]["id"], "mentor", "decline")).status_code == 200
    assert (await matching.accept(pairs[1]["id"])).status_code == 200
    await matching.deliver(requested(asking.id, 4, "strategy"))
    again = {pair["mentor_id"] for pair in (await matching.pairs())[3:]}
    assert again == {str(last.id), pairs[2]["mentor_id"]}, "a declined pair rests, a live one is not asked again"


async def test_a_request_without_an_answer_proposes_nobody(matching: Matching, url: str) -> None:
    asking = learner()
    await matching.register(asking, mentor("Weak", level=1))
    await matching.deliver(requested(asking.id, 4), requested(uuid4(), 1))
    assert await factories.published_events(url) == []
    await matching.register(mentor("Late"))
    assert (await matching.draft_run())["pairs"] != []
    assert await factories.published_events(url) == []


async def test_the_more_urgent_of_two_requests_for_a_skill_counts(matching: Matching) -> None:
    asking, able = member("Asking", {"foresight": 1, "strategy": 1}), mentor()
    await matching.register(asking, able)
    urgencies = [("foresight", 4), ("foresight", 1), ("strategy", 4)]
    events = [
        requested(asking.id, 9 + n, indicator, urgency=urgency) for n, (indicator, urgency) in enumerate(urgencies)
    ]
    await matching.deliver(*events)
    (pair,) = await matching.pairs()
    await matching.answer(pair["id"], "mentor", "decline")
    (planned,) = (await matching.draft_run(criteria=NO_FREEZE))["pairs"]
    (term,) = [term for term in planned["terms"] if term["term"] == "requests"]
    assert term["hundredths"] == 1500 // 2


async def test_only_operators_ask_for_the_projection(matching: Matching) -> None:
    assert len(await matching.state_hash()) == 64
    for role in (Role.coordinator, Role.manager, Role.service):
        caller = factories.signed_in(role, consortium=factories.CONSORTIUM)
        assert (await matching.client.get("/projection", headers=caller)).status_code == 403
        assert (await matching.client.delete("/projection", headers=caller)).status_code == 403
    assert (await matching.client.delete("/projection")).status_code == 401


async def test_a_request_that_waits_for_its_cluster_is_told_until_it_comes(matching: Matching) -> None:
    baker, able = learner("Baker"), mentor()
    await matching.register(able)

    async def waiting() -> str:
        text = (await matching.client.get("/metrics")).text
        return next(line for line in text.splitlines() if line.startswith("kei_matching_unresolved_requests"))

    assert (await waiting()).endswith(" 0.0")
    await matching.deliver(requested(baker.id, 4))
    assert (await waiting()).endswith(" 1.0")
    await matching.register(baker)
    assert (await waiting()).endswith(" 0.0")
    assert len(await matching.pairs()) == 1
