"""An archived cluster: no new pairs, open proposals withdrawn, mentorships ended."""

from uuid import UUID

from shared.events.envelope import Stored
from shared.events.members import ClusterArchived
from tests.services.matching.actions import Matching, learner, mentor, problem, requested
from tests.support import factories


def archived(cluster: UUID, version: int = 20) -> Stored:
    return factories.stored(ClusterArchived(cluster_id=cluster, consortium_id=factories.CONSORTIUM), version)


async def test_its_open_proposals_are_withdrawn_and_its_mentorships_end(matching: Matching) -> None:
    ant = mentor("Ant", mentor_capacity=2)
    bee, cricket = learner("Bee", mentor_capacity=0), learner("Cricket", mentor_capacity=0)
    first, second = await matching.register_and_publish(ant, bee, cricket)
    await matching.start_mentorship(first["id"])
    await matching.deliver(archived(ant.id))
    states = {pair["id"]: pair["state"] for pair in await matching.pairs()}
    assert states == {first["id"]: "ended", second["id"]: "withdrawn"}
    shown = await matching.mentorship(first["id"])
    assert (shown["state"], shown["reason"]) == ("ended", "One of the two clusters was archived.")
    assert (await matching.used_slots(bee, "learner"), await matching.used_slots(ant, "mentor")) == (0, 0)
    assert [data["why"] for data in await matching.published_data("pair.withdrawn")] == ["archived"]
    late = await matching.answer(second["id"], "mentor", version=2)
    assert problem(late) == (409, "already-decided")


async def test_nobody_is_paired_with_it_any_more(matching: Matching) -> None:
    ant, bee, other = mentor("Ant"), learner("Bee"), mentor("Other", level=3)
    await matching.register(ant, bee, other)
    await matching.deliver(archived(ant.id))
    (pair,) = (await matching.draft_run())["pairs"]
    assert pair["mentor_id"] == str(other.id)
    await matching.deliver(requested(bee.id, 9), requested(ant.id, 21))
    assert {pair["mentor_id"] for pair in await matching.pairs()} == {str(other.id)}
    text = (await matching.client.get("/metrics")).text
    assert "kei_matching_unresolved_requests 0.0" in text, "a request of one that left waits for nobody"


async def test_a_draft_with_it_cannot_be_published(matching: Matching) -> None:
    ant, bee = mentor("Ant"), learner("Bee")
    await matching.register(ant, bee)
    run = await matching.draft_run()
    await matching.deliver(archived(ant.id))
    assert problem(await matching.publish(run["run"]["id"])) == (409, "inputs-changed")


async def test_it_makes_no_difference_whether_it_is_heard_of_first(matching: Matching) -> None:
    ant, bee = mentor("Ant"), learner("Bee")
    await matching.deliver(archived(ant.id))
    await matching.register(ant, bee)
    assert (await matching.draft_run())["pairs"] == []
    state = await matching.state_hash()
    await matching.deliver(factories.stored(ClusterArchived(cluster_id=ant.id, consortium_id=factories.CONSORTIUM), 20))
    assert await matching.state_hash() == state


async def test_what_it_needed_is_recommended_nothing(matching: Matching) -> None:
    able, bees = mentor("Able"), [learner(f"Bee {number}") for number in range(3)]
    await matching.register(able, *bees)
    assert len((await matching.get("/recommendations"))["white_spots"]) == 1
    await matching.deliver(archived(bees[0].id))
    recommendations = await matching.get("/recommendations")
    assert recommendations["white_spots"] == []
    assert {item["cluster_id"] for item in recommendations["ask"]} == {str(bee.id) for bee in bees[1:]}
