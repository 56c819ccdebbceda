"""Replies to proposals over HTTP: permissions, effects and events."""

from uuid import uuid4

from shared.auth import Role
from tests.services.matching.actions import (
    NO_FREEZE,
    OPERATOR,
    Json,
    Matching,
    Member,
    capacity_changed,
    learner,
    manager_of,
    mentor,
    problem,
    requested,
)
from tests.support import factories


async def one_pair(matching: Matching) -> tuple[Json, Member, Member]:
    """A proposed pair, its mentor and its learner."""
    able, baker = mentor("Able"), learner("Baker")
    (pair,) = await matching.register_and_publish(able, baker)
    return pair, able, baker


async def test_two_acceptances_take_a_place_on_each_side(matching: Matching, url: str) -> None:
    pair, able, baker = await one_pair(matching)
    first = await matching.answer(pair["id"], "learner", headers=manager_of(baker))
    assert (first.status_code, first.headers["etag"]) == (200, '"v2"')
    assert first.json() == pair | {"learner_answer": "accepted", "version": 2}
    assert await matching.used_slots(able, "mentor") == 0
    assert len(await factories.published_events(url)) == 2
    second = await matching.answer(pair["id"], "mentor", version=2, headers=manager_of(able))
    assert (second.status_code, second.headers["etag"]) == (200, '"v3"')
    answered = {"learner_answer": "accepted", "mentor_answer": "accepted", "state": "accepted", "version": 3}
    assert second.json() == pair | answered
    assert await matching.get(f"/pairs/{pair['id']}") == second.json()
    assert [await matching.used_slots(able, "mentor"), await matching.used_slots(baker, "learner")] == [1, 1]
    assert [await matching.used_slots(able, "learner"), await matching.used_slots(baker, "mentor")] == [0, 0]
    assert (await factories.published_events(url))[2:] == [
        (
            "pair.accepted",
            2,
            {
                "pair_id": pair["id"],
                "consortium_id": str(factories.CONSORTIUM),
                "mentor_id": str(able.id),
                "learner_id": str(baker.id),
            },
        )
    ]


async def test_one_decline_ends_it_and_takes_nothing(matching: Matching, url: str) -> None:
    pair, able, baker = await one_pair(matching)
    assert (await matching.answer(pair["id"], "mentor")).status_code == 200
    reply = await matching.answer(pair["id"], "learner", "decline", version=2)
    assert (reply.status_code, reply.json()["state"]) == (200, "declined")
    assert (reply.json()["mentor_answer"], reply.json()["learner_answer"]) == ("accepted", "declined")
    assert [await matching.used_slots(able, "mentor"), await matching.used_slots(baker, "learner")] == [0, 0]
    (kind, version, data), *more = (await factories.published_events(url))[2:]
    assert (kind, version, data["pair_id"], data["side"]) == ("pair.declined", 2, pair["id"], "learner")
    assert more == []


async def test_each_side_answers_once(matching: Matching, url: str) -> None:
    pair, *_ = await one_pair(matching)
    assert (await matching.answer(pair["id"], "mentor")).status_code == 200
    twice = await matching.answer(pair["id"], "mentor", version=2)
    assert problem(twice) == (409, "already-answered")
    assert twice.json()["detail"] == "The mentor has answered already."
    assert problem(await matching.answer(pair["id"], "mentor", "decline", version=2)) == (409, "already-answered")
    assert (await matching.get(f"/pairs/{pair['id']}"))["version"] == 2
    assert len(await factories.published_events(url)) == 2


async def test_what_is_decided_stays_decided(matching: Matching, url: str) -> None:
    able = mentor()
    accepted, declined = await matching.register_and_publish(able, learner("Baker"), learner("Cook"))
    assert (await matching.accept(accepted["id"])).status_code == 200
    assert (await matching.answer(declined["id"], "learner", "decline")).status_code == 200
    before = len(await factories.published_events(url))
    for pair, side, version in ((accepted, "learner", 3), (declined, "learner", 2), (declined, "mentor", 2)):
        for answer in ("accept", "decline"):
            reply = await matching.answer(pair["id"], side, answer, version=version)
            assert problem(reply) == (409, "already-decided")
            assert reply.json()["detail"] == f"This pair is {'accepted' if pair is accepted else 'declined'} already."
    assert len(await factories.published_events(url)) == before
    assert await matching.used_slots(able, "mentor") == 1


async def test_a_declined_pair_rests_before_it_is_proposed_again(matching: Matching) -> None:
    pair, *_ = await one_pair(matching)
    await matching.answer(pair["id"], "mentor", "decline")
    assert (await matching.draft_run())["pairs"] == []
    again = await matching.draft_run(criteria=NO_FREEZE)
    assert (await matching.publish(again["run"]["id"])).status_code == 200
    assert [pair["state"] for pair in await matching.pairs()] == ["declined", "proposed"]


async def test_a_full_mentor_is_told_in_a_sentence(matching: Matching, url: str) -> None:
    able = mentor("Able Cluster", mentor_capacity=3)
    learners = [learner(f"Learner {n}") for n in range(3)]
    await matching.register(able, *learners)
    await matching.deliver(*(requested(cluster.id, 4) for cluster in learners))
    first, second, third = await matching.pairs()
    assert [(await matching.accept(pair["id"])).status_code for pair in (first, second)] == [200, 200]
    await matching.deliver(capacity_changed(able.id, 9, 2, 2))
    before = len(await factories.published_events(url))
    reply = await matching.accept(third["id"])
    assert problem(reply) == (409, "no-free-place")
    assert reply.json()["detail"] == "Able Cluster has no free place as mentor: 2 of 2 are taken."
    assert (await matching.get(f"/pairs/{third['id']}"))["version"] == 2, "the refused answer is not kept"
    assert (await matching.answer(third["id"], "learner", "decline", version=2)).status_code == 200
    assert len(await factories.published_events(url)) == before + 1
    assert await matching.used_slots(able, "mentor") == 2
    assert sum([await matching.used_slots(cluster, "learner") for cluster in learners]) == 2


async def test_a_full_learner_takes_no_place_from_the_mentor(matching: Matching) -> None:
    mentors = [mentor("Able"), mentor("Baker")]
    eager = learner("Eager Cluster", learner_capacity=2)
    pairs = await matching.register_and_publish(*mentors, eager)
    assert (await matching.accept(pairs[0]["id"])).status_code == 200
    await matching.deliver(capacity_changed(eager.id, 9, 0, 1))
    reply = await matching.accept(pairs[1]["id"])
    assert reply.json()["detail"] == "Eager Cluster has no free place as learner: 1 of 1 are taken."
    assert [await matching.used_slots(cluster, "mentor") for cluster in mentors] == [1, 0]
    await matching.deliver(capacity_changed(eager.id, 10, 0, 2))
    assert (await matching.answer(pairs[1]["id"], "learner", version=2)).status_code == 200


async def test_managers_answer_for_their_own_side_only(matching: Matching, url: str) -> None:
    pair, able, other = await one_pair(matching)
    wrong = await matching.answer(pair["id"], "learner", headers=manager_of(able))
    assert problem(wrong) == (403, "not-your-side")
    assert wrong.json()["detail"] == "You do not act for the learner of this pair."
    assert problem(await matching.answer(pair["id"], "mentor", headers=manager_of(other))) == (403, "not-your-side")
    assert problem(await matching.answer(pair["id"], "mentor", headers=manager_of(mentor()))) == (403, "not-your-side")
    associate = factories.signed_in(Role.associate, consortium=factories.CONSORTIUM, cluster=able.id)
    assert problem(await matching.answer(pair["id"], "mentor", headers=associate)) == (403, "forbidden")
    assert (await matching.answer(pair["id"], "mentor", headers={})).status_code == 401
    assert (await matching.get(f"/pairs/{pair['id']}", associate)) == pair
    assert len(await factories.published_events(url)) == 2
    coordinator = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)
    assert (await matching.answer(pair["id"], "mentor", headers=coordinator)).status_code == 200


async def test_strangers_find_no_pair(matching: Matching, url: str) -> None:
    pair, able, _ = await one_pair(matching)
    coordinator = factories.signed_in(Role.coordinator, consortium=uuid4())
    manager = factories.signed_in(Role.manager, consortium=uuid4(), cluster=able.id)
    for caller in (coordinator, manager):
        assert problem(await matching.answer(pair["id"], "mentor", headers=caller)) == (404, "no-such-pair")
        assert problem(await matching.client.get(f"/pairs/{pair['id']}", headers=caller)) == (404, "no-such-pair")
        assert (await matching.get("/pairs", caller))["items"] == []
    assert problem(await matching.answer(str(uuid4()), "mentor")) == (404, "no-such-pair")
    assert len(await factories.published_events(url)) == 2


async def test_a_draft_cannot_be_answered(matching: Matching) -> None:
    await matching.register(mentor(), learner())
    (draft,) = (await matching.draft_run())["pairs"]
    assert problem(await matching.answer(draft["id"], "mentor")) == (404, "no-such-pair")


async def test_an_answer_is_to_what_was_seen(matching: Matching, url: str) -> None:
    pair, *_ = await one_pair(matching)
    assert problem(await matching.answer(pair["id"], "mentor", version=2)) == (412, "stale")
    assert problem(await matching.answer(pair["id"], "mentor", version=None)) == (428, "precondition-required")
    assert (await matching.answer(pair["id"], "mentor")).status_code == 200
    stale = await matching.answer(pair["id"], "learner")
    assert problem(stale) == (412, "stale")
    assert stale.json()["detail"] == "The pair has changed since: it is at version 2, not 1."
    assert (await matching.get(f"/pairs/{pair['id']}"))["learner_answer"] is None
    assert len(await factories.published_events(url)) == 2


async def test_answers_that_are_none(matching: Matching) -> None:
    pair, *_ = await one_pair(matching)
    assert problem(await matching.answer(pair["id"], "referee")) == (422, "invalid-request")
    assert problem(await matching.answer(pair["id"], "mentor", "perhaps")) == (422, "invalid-request")
    assert problem(await matching.answer(pair["id"], "mentor", reason="why")) == (422, "invalid-request")


async def test_a_retry_with_its_key_has_one_effect(matching: Matching, url: str) -> None:
    pair, able, _ = await one_pair(matching)
    assert (await matching.answer(pair["id"], "mentor")).status_code == 200
    first, again = [await matching.answer(pair["id"], "learner", version=2, key="yes") for _ in range(2)]
    assert (again.status_code, again.json()) == (200, first.json())
    assert (again.headers["etag"], again.headers["idempotency-replayed"]) == ('"v3"', "true")
    other = await matching.answer(pair["id"], "learner", "decline", version=2, key="yes")
    assert problem(other) == (422, "idempotency-key-reused")
    assert await matching.used_slots(able, "mentor") == 1
    assert len(await factories.published_events(url)) == 3


async def test_pairs_are_listed_by_state_and_by_page(matching: Matching) -> None:
    pairs = await matching.register_and_publish(mentor(mentor_capacity=3), *(learner(f"Learner {n}") for n in range(3)))
    await matching.accept(pairs[0]["id"])
    await matching.answer(pairs[1]["id"], "learner", "decline")
    for state, pair in zip(("accepted", "declined", "proposed"), pairs, strict=True):
        assert [item["id"] for item in (await matching.get("/pairs", state=state))["items"]] == [pair["id"]]
    assert (await matching.client.get("/pairs", headers=OPERATOR, params={"state": "draft"})).status_code == 422
    first = await matching.get("/pairs", limit="2")
    rest = await matching.get("/pairs", limit="2", cursor=first["next"])
    assert first["items"] + rest["items"] == await matching.pairs()
    assert rest["next"] is None
