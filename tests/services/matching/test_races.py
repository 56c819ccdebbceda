"""Concurrent requests: no slot is taken twice, a pair is decided once, mentors are proposed once for a request."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2
from structlog.typing import EventDict

from shared.transport.local import LocalTransport
from tests.services.matching.actions import (
    Matching,
    Member,
    capacity_changed,
    learner,
    member,
    mentor,
    problem,
    requested,
    retry_reasons,
)
from tests.support import factories


async def asked_by_many(matching: Matching, able: Member, count: int) -> list[str]:
    """Pairs of one mentor with that many learners, each accepted by the mentor."""
    learners = [learner(f"Learner {number}") for number in range(count)]
    await matching.register(able, *learners)
    await matching.deliver(*(requested(cluster.id, 4) for cluster in learners))
    pairs = [pair["id"] for pair in await matching.pairs()]
    assert len(pairs) == count
    replies = await at_once(matching.answer(pair, "mentor") for pair in pairs)
    assert {reply.status_code for reply in replies} == {200}
    return pairs


async def at_once(calls: Iterable[Awaitable[httpx2.Response]], *others: Awaitable[None]) -> list[httpx2.Response]:
    """The responses to concurrent calls, while `others` run."""
    replies, _ = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*others))
    return replies


def statuses(replies: list[httpx2.Response]) -> Counter[int]:
    return Counter(reply.status_code for reply in replies)


async def versions(url: str, pair: str) -> list[int]:
    rows = await factories.rows(url, "SELECT version FROM outbox WHERE key = $1 ORDER BY seq", UUID(pair))
    return [row["version"] for row in rows]


async def test_twelve_want_three_places(matching: Matching) -> None:
    able = mentor("Able", mentor_capacity=3)
    pairs = await asked_by_many(matching, able, 12)
    replies = await at_once(matching.answer(pair, "learner", version=2) for pair in pairs)
    assert statuses(replies) == {200: 3, 409: 9}
    refused = [reply for reply in replies if reply.status_code == 409]
    assert {problem(reply) for reply in refused} == {(409, "already-decided")}
    assert {reply.json()["detail"] for reply in refused} == {"This pair is withdrawn already."}
    assert [data["why"] for data in await matching.published_data("pair.withdrawn")] == ["full"] * 9
    assert await matching.used_slots(able, "mentor") == 3
    accepted = {data["pair_id"] for data in await matching.published_data("pair.accepted")}
    assert accepted == {pair["id"] for pair in await matching.pairs() if pair["state"] == "accepted"}
    assert len(accepted) == 3
    taken = await factories.rows(matching.url, "SELECT sum(used) FROM slots WHERE role = 'learner'")
    assert [row["sum"] for row in taken] == [3], "who was refused holds no place on the other side"


async def test_a_capacity_lowered_meanwhile_is_kept_from_then_on(matching: Matching) -> None:
    able = mentor("Able", mentor_capacity=6)
    pairs = await asked_by_many(matching, able, 12)
    lowering = capacity_changed(able.id, 9, 2, 2)
    replies = await at_once(
        (matching.answer(pair, "learner", version=2) for pair in pairs), factories.deliver(matching.transport, lowering)
    )
    await matching.wait_handled([lowering])
    won = statuses(replies)[200]
    assert 2 <= won <= 6
    query = "SELECT used, capacity, ceiling FROM slots WHERE cluster_id = $1 AND role = 'mentor'"
    ((used, capacity, ceiling),) = [tuple(row.values()) for row in await factories.rows(matching.url, query, able.id)]
    assert (used, capacity) == (won, 2)
    assert ceiling == max(won, 2)
    late = [pair["id"] for pair in await matching.pairs() if pair["state"] == "proposed"]
    replies = await at_once(matching.answer(pair, "learner", version=2) for pair in late)
    assert {reply.json()["detail"] for reply in replies} == {f"Able has no free place as mentor: {won} of 2 are taken."}
    await matching.deliver(capacity_changed(able.id, 10, won + 1, 2))
    replies = await at_once(matching.answer(pair, "learner", version=2) for pair in late)
    assert statuses(replies) == {200: 1, 409: len(late) - 1}


async def test_yes_and_no_at_once(matching: Matching, url: str) -> None:
    able = mentor(mentor_capacity=5)
    pairs = await asked_by_many(matching, able, 5)
    calls = [(pair, answer) for pair in pairs for answer in ("accept", "decline") * 3]
    replies = await at_once(matching.answer(pair, "learner", answer, version=2) for pair, answer in calls)
    assert statuses(replies) == {200: 5, 409: 25}
    won = {pair: answer for (pair, answer), reply in zip(calls, replies, strict=True) if reply.status_code == 200}
    assert won.keys() == set(pairs)
    states = {pair["id"]: pair["state"] for pair in await matching.pairs()}
    assert states == {pair: {"accept": "accepted", "decline": "declined"}[answer] for pair, answer in won.items()}
    for pair in pairs:
        assert await versions(url, pair) == [1, 2]
    assert await matching.used_slots(able, "mentor") == list(won.values()).count("accept")


async def test_both_sides_at_once(matching: Matching, url: str) -> None:
    able, baker = mentor(), learner()
    (pair,) = await matching.register_and_publish(able, baker)
    replies = await at_once(matching.answer(pair["id"], side) for side in ("mentor", "learner"))
    assert statuses(replies) == {200: 1, 412: 1}
    late = "mentor" if replies[0].status_code == 412 else "learner"
    assert (await matching.answer(pair["id"], late, version=2)).json()["state"] == "accepted"
    assert await versions(url, pair["id"]) == [1, 2]


async def test_everybody_accepts_everybody_while_capacities_change(matching: Matching, logged: list[EventDict]) -> None:
    skills = [f"skill-{number}" for number in range(5)]
    members = [
        member(own, {skill: 5 if skill == own else 1 for skill in skills}, dict.fromkeys(skills, 4)) for own in skills
    ]
    await matching.register(*members)
    await matching.deliver(*(capacity_changed(cluster.id, 20, 4, 4) for cluster in members))
    run = await matching.draft_run()
    await matching.publish(run["run"]["id"])
    pairs = [pair["id"] for pair in await matching.pairs()]
    assert len(pairs) == 20
    await at_once(matching.answer(pair, "mentor") for pair in pairs)
    changes = [
        capacity_changed(cluster.id, version, 4, 4)
        for version in range(21, 25)
        for cluster in (members if version % 2 else reversed(members))
    ]
    replies = await at_once(
        (matching.answer(pair, "learner", version=2) for pair in pairs), factories.deliver(matching.transport, *changes)
    )
    await matching.wait_handled(changes)
    assert statuses(replies) == {200: 20}
    assert [await matching.used_slots(cluster, side) for cluster in members for side in ("mentor", "learner")] == [
        4
    ] * 10
    assert retry_reasons(logged) == []


async def test_a_request_is_answered_once_however_often_it_comes(
    matching: Matching, url: str, build: factories.Build
) -> None:
    asking = learner()
    await matching.register(asking, *(mentor(f"Mentor {number}") for number in range(4)))
    request = requested(asking.id, 4)
    repeated = [replace(request, id=uuid4(), version=version) for version in range(5, 10)]
    # A transport may even bring it under other keys; then two workers of two replicas handle it at the same moment.
    elsewhere = [replace(request, id=uuid4(), key=uuid4()) for _ in range(10)]
    other_transport = LocalTransport()
    async with factories.running(build, url, transport=other_transport):
        await asyncio.gather(
            *(
                factories.deliver(transport, event)
                for event in (request, *repeated)
                for transport in (matching.transport, other_transport)
            ),
            *(
                factories.deliver(transport, event)
                for event in elsewhere
                for transport in (matching.transport, other_transport)
            ),
        )
        await matching.wait_handled([request, *repeated])
    assert len(await matching.published_data("pair.proposed")) == 3
    assert len(await matching.pairs()) == 3


async def test_a_run_is_published_once_however_often_it_is_asked_for(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner("One"), learner("Two"))
    run = await matching.draft_run()
    replies = await at_once(matching.publish(run["run"]["id"]) for _ in range(10))
    assert statuses(replies) == {200: 1, 412: 9}
    assert [kind for kind, _, _ in await factories.published_events(url)] == [
        "run.published",
        "pair.proposed",
        "pair.proposed",
    ]


async def test_of_drafts_with_the_same_pairs_one_is_published(matching: Matching, url: str) -> None:
    await matching.register(*(mentor(f"Mentor {n}") for n in range(3)), *(learner(f"Learner {n}") for n in range(3)))
    drafts = [(await matching.draft_run())["run"]["id"] for _ in range(5)]
    replies = await at_once(matching.publish(id) for id in drafts)
    assert statuses(replies) == {200: 1, 409: 4}
    assert {problem(reply) for reply in replies if reply.status_code == 409} == {(409, "inputs-changed")}
    assert Counter(kind for kind, _, _ in await factories.published_events(url)) == {
        "run.published": 1,
        "pair.proposed": 6,
    }


async def test_a_run_and_requests_never_propose_the_same_pair(matching: Matching, logged: list[EventDict]) -> None:
    able, learners = mentor(mentor_capacity=8), [learner(f"Learner {number}") for number in range(8)]
    await matching.register(able, *learners)
    run = (await matching.draft_run())["run"]["id"]
    requests = [requested(cluster.id, 4) for cluster in learners]
    (reply,) = await at_once([matching.publish(run)], factories.deliver(matching.transport, *requests))
    await matching.wait_handled(requests)
    assert reply.status_code == 200 or problem(reply) == (409, "inputs-changed")
    live = Counter(pair["learner_id"] for pair in await matching.pairs())
    assert live == {str(cluster.id): 1 for cluster in learners}
    assert Counter(data["learner_id"] for data in await matching.published_data("pair.proposed")) == live
    assert retry_reasons(logged) == []


async def test_runs_of_one_consortium_do_not_mix(matching: Matching, url: str) -> None:
    await matching.register(*(mentor(f"Mentor {n}") for n in range(3)), *(learner(f"Learner {n}") for n in range(3)))
    replies = await at_once(matching.request_run() for _ in range(6))
    runs = [reply.json() for reply in replies if reply.status_code == 201]
    refused = [reply for reply in replies if reply.status_code != 201]
    assert {problem(reply) for reply in refused} <= {(409, "run-under-way")}
    assert len(runs) >= 1
    assert len(await factories.rows(url, "SELECT FROM run")) == len(runs)
    shown = [await matching.finished_run(run["id"]) for run in runs]
    for run, pairs in [(item["run"], item["pairs"]) for item in shown]:
        assert len(pairs) == 6
        assert sum(pair["score_hundredths"] for pair in pairs) == run["total_hundredths"]
