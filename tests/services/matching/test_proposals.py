"""Proposals that end without a reply of both sides, and the next proposals."""

from uuid import uuid4

from tests.services.matching.actions import Json, Matching, Member, learner, member, mentor, problem, requested
from tests.support import factories
from tests.support.waiting import eventually


async def states(matching: Matching) -> dict[str, str]:
    """The state of each pair by its mentor's id."""
    return {pair["mentor_id"]: pair["state"] for pair in await matching.pairs()}


async def ended(matching: Matching, pair: Json) -> Json:
    """Wait until the pair is not open any more; the pair."""

    async def over() -> Json:
        shown = await matching.get(f"/pairs/{pair['id']}")
        return {} if shown["state"] == "proposed" else shown

    return await eventually(over)


async def overdue(url: str, pair: Json) -> None:
    """Let the time to reply pass."""
    await factories.rows(url, "UPDATE pair SET expires_at = now() - interval '1 minute' WHERE id = $1", pair["id"])


async def asked_of_four(matching: Matching) -> tuple[Member, list[Member]]:
    """A request that four mentors could serve; the best three are proposed."""
    baker, able = (
        learner("Baker"),
        [mentor(f"Able {n}", country=country) for n, country in enumerate(("IT", "DE", "AT", "HU"))],
    )
    await matching.register(baker, *able)
    await matching.deliver(requested(baker.id, 4))
    return baker, able


async def test_a_request_names_itself_as_the_cause(matching: Matching) -> None:
    baker = learner()
    await matching.register(baker, mentor())
    event = requested(baker.id, 4)
    await matching.deliver(event)
    (pair,) = await matching.pairs()
    assert pair["cause"] == {"event_id": str(event.id), "type": event.type, "cluster_id": str(baker.id)}
    (published,) = await matching.published_data("pair.proposed")
    assert published["cause"] == pair["cause"]


async def test_where_one_declines_the_next_best_is_asked(matching: Matching) -> None:
    await asked_of_four(matching)
    first, *_ = before = await matching.pairs()
    reply = await matching.answer(first["id"], "mentor", "decline", reason="No time before spring.")
    assert (reply.json()["state"], reply.json()["reason"]) == ("declined", "No time before spring.")
    (new,) = (await matching.pairs())[len(before) :]
    assert new["mentor_id"] not in {pair["mentor_id"] for pair in before}
    assert (new["state"], new["request_id"]) == ("proposed", first["request_id"])
    assert new["cause"]["type"] == "kei.matching.pair.declined.v1"
    query = "SELECT key, data FROM outbox WHERE id = $1"
    ((key, data),) = [row.values() for row in await factories.rows(matching.url, query, new["cause"]["event_id"])]
    assert str(key) == first["id"]
    assert b"spring" not in data, "what a side says is for its consortium only"


async def test_when_nobody_is_left_nobody_is_asked(matching: Matching) -> None:
    await asked_of_four(matching)
    for pair in await matching.pairs():
        await matching.answer(pair["id"], "mentor", "decline")
    (last,) = [pair for pair in await matching.pairs() if pair["state"] == "proposed"]
    await matching.answer(last["id"], "learner", "decline")
    assert {pair["state"] for pair in await matching.pairs()} == {"declined"}
    assert len(await matching.pairs()) == 4


async def test_the_next_of_a_plan_has_a_place_that_no_open_proposal_needs(matching: Matching) -> None:
    best, busy, spare = (
        mentor(name, level=level, mentor_capacity=1, learner_capacity=0)
        for name, level in (("Best", 5), ("Busy", 4), ("Spare", 3))
    )
    baker = learner("Baker", mentor_capacity=0, learner_capacity=1)
    cook = member("Cook", {"foresight": 2}, {"foresight": 4}, mentor_capacity=0, learner_capacity=1)
    pairs = await matching.register_and_publish(best, busy, spare, baker, cook)
    taken = {pair["mentor_id"]: pair["learner_id"] for pair in pairs}
    (free,) = {str(cluster.id) for cluster in (best, busy, spare)} - taken.keys()
    (first, _) = pairs
    await matching.answer(first["id"], "mentor", "decline")
    (new,) = (await matching.pairs())[2:]
    assert (new["mentor_id"], new["learner_id"], new["run_id"]) == (free, first["learner_id"], None)
    await matching.answer(new["id"], "mentor", "decline")
    assert len(await matching.pairs()) == 3, "the only other mentor has an open proposal for its only place"


async def test_one_agreement_answers_a_request(matching: Matching) -> None:
    await asked_of_four(matching)
    first, *others = await matching.pairs()
    assert (await matching.accept(first["id"])).status_code == 200
    shown = [await matching.get(f"/pairs/{pair['id']}") for pair in others]
    assert [pair["state"] for pair in shown] == ["withdrawn"] * 2
    withdrawn = {
        data["pair_id"]: (data["why"], data["run_id"]) for data in await matching.published_data("pair.withdrawn")
    }
    assert withdrawn == {pair["id"]: ("answered", None) for pair in others}
    late = await matching.answer(others[0]["id"], "mentor", version=shown[0]["version"])
    assert problem(late) == (409, "already-decided")


async def test_a_proposal_that_nobody_answers_expires_and_the_next_best_is_asked(matching: Matching, url: str) -> None:
    await asked_of_four(matching)
    first, *others = before = await matching.pairs()
    await overdue(url, first)
    expired = await ended(matching, first)
    assert (expired["state"], expired["version"]) == ("expired", 2)
    (event,) = await matching.published_data("pair.expired")
    assert event["pair_id"] == first["id"]
    (new,) = (await matching.pairs())[len(before) :]
    assert (new["state"], new["cause"]["type"]) == ("proposed", "kei.matching.pair.expired.v1")
    assert {(await matching.get(f"/pairs/{pair['id']}"))["state"] for pair in others} == {"proposed"}
    assert problem(await matching.answer(first["id"], "mentor", version=2)) == (409, "already-decided")


async def test_proposals_can_be_answered_for_as_long_as_the_criteria_say(matching: Matching, url: str) -> None:
    await matching.register(mentor(), learner())
    run = (await matching.draft_run(criteria={"answer_days": 7}))["run"]["id"]
    assert (await matching.publish(run)).status_code == 200
    ((left,),) = [row.values() for row in await factories.rows(url, "SELECT expires_at - now() FROM pair")]
    assert 7 * 86400 - 60 < left.total_seconds() <= 7 * 86400


async def test_a_request_waits_for_its_cluster(matching: Matching, url: str) -> None:
    able, baker = mentor(), learner()
    await matching.register(able)
    event = requested(baker.id, 4)
    await matching.deliver(event)
    assert await factories.rows(url, "SELECT * FROM resolved_request") == []
    await matching.register(baker)
    (pair,) = await matching.pairs()
    assert pair["cause"]["event_id"] == str(event.id)
    await matching.deliver(requested(uuid4(), 1))
    assert len(await matching.pairs()) == 1


async def test_a_reason_goes_with_a_decline(matching: Matching) -> None:
    (pair,) = await matching.register_and_publish(mentor(), learner())
    for reason, answer in (("Gladly.", "accept"), ("", "decline"), ("x" * 501, "decline")):
        assert problem(await matching.answer(pair["id"], "mentor", answer, reason=reason)) == (422, "invalid-request")
