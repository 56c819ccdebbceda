"""The ledger over HTTP: mentorships and trainings, confirmed gains, and remaining gaps."""

import csv
import io
from datetime import date
from uuid import UUID, uuid4

from shared.auth import Role
from shared.events.envelope import Stored
from shared.events.trainings import ClusterGain, TaughtIndicator, TrainingCompleted, TrainingPublished
from tests.services.matching.actions import (
    FRAMEWORK,
    OPERATOR,
    Json,
    Matching,
    Member,
    assessed,
    learner,
    manager_of,
    member,
    mentor,
    problem,
)
from tests.services.matching.mentoring import TODAY
from tests.support import factories

JUNE = date(2017, 6, 29)


def training(id: UUID, host: UUID, starts_on: date = date(2017, 6, 28), gain: int = 1) -> Stored:
    data = TrainingPublished(
        activity_id=id,
        consortium_id=factories.CONSORTIUM,
        kind="joint_training",
        title="First joint training",
        host_cluster_id=host,
        place="Bari",
        starts_on=starts_on,
        ends_on=max(starts_on, JUNE),
        capacity=14,
        teaches=[TaughtIndicator(framework=FRAMEWORK, indicator="foresight", gain=gain)],
    )
    return factories.stored(data, 2)


def took_place(id: UUID, host: UUID, *guests: UUID) -> Stored:
    gains = [
        ClusterGain(cluster_id=cluster_id, framework=FRAMEWORK, indicator="foresight", gain=1)
        for cluster_id in (host, *guests)
    ]
    data = TrainingCompleted(
        activity_id=id,
        consortium_id=factories.CONSORTIUM,
        kind="joint_training",
        host_cluster_id=host,
        ended_on=JUNE,
        attended=[host, *guests],
        gains=gains,
    )
    return factories.stored(data, 9)


async def taught(matching: Matching) -> tuple[Member, Member, Member]:
    """Ant trained Bee and Cricket in June; Bee was assessed since. Now Ant mentors Bee to the end."""
    ant, bee, cricket = mentor("Ant", learner_capacity=0), learner("Bee"), learner("=Cricket", learner_capacity=0)
    await matching.register(ant, bee, cricket)
    id = uuid4()
    await matching.deliver(took_place(id, ant.id, bee.id, cricket.id), training(id, ant.id))
    await matching.deliver(assessed(bee.id, 6, {"foresight": 2}, date(2017, 9, 1)))
    (pair,) = await matching.publish_pairs(ant, bee, cricket)
    await matching.start_mentorship(pair["id"])
    await matching.send(pair["id"], f"PUT goals/{FRAMEWORK}/foresight", {"reached": 4})
    await matching.send(pair["id"], "POST ending", {"side": "mentor", "how": "completed"}, 4)
    await matching.deliver(assessed(bee.id, 7, {"foresight": 3}, TODAY))
    return ant, bee, cricket


async def test_it_tells_who_taught_whom_what_and_what_is_confirmed(matching: Matching) -> None:
    ant, bee, cricket = await taught(matching)
    lines = (await matching.get("/ledger"))["items"]
    gains = {
        (line["by"], line["learner_id"]): (line["planned"], line["reported"], line["confirmed_hundredths"])
        for line in lines
    }
    assert gains == {
        ("joint_training", str(bee.id)): (1, 1, 100),
        ("joint_training", str(cricket.id)): (1, 1, None),
        ("mentorship", str(bee.id)): (2, 2, 100),
    }
    assert {line["teacher_id"] for line in lines} == {str(ant.id)}, "a host that was there taught others, not itself"
    last = lines[-1]
    assert (last["before"]["level"], last["after"]["level"], last["ended_on"]) == (2, 3, TODAY.isoformat())


async def test_it_can_be_asked_by_side_skill_and_period_page_by_page(matching: Matching) -> None:
    ant, bee, cricket = await taught(matching)

    async def count(**query: str) -> int:
        return len((await matching.get("/ledger", OPERATOR, **query))["items"])

    assert await count(cluster_id=str(ant.id)) == 3
    assert await count(learner_id=str(ant.id)) == 0
    assert await count(learner_id=str(bee.id), until="2017-12-31") == 1
    assert await count(teacher_id=str(ant.id), since="2017-12-31") == 1
    assert await count(cluster_id=str(cricket.id), indicator="strategy") == 0
    assert await count(framework=FRAMEWORK, indicator="foresight") == 3
    for day in ("0", "29.6.2017", "2017-06-31"):
        reply = await matching.client.get("/ledger", headers=OPERATOR, params={"since": day})
        assert (problem(reply), reply.json()["errors"][0]["field"]) == ((422, "invalid-request"), "since")
    whole = (await matching.get("/ledger"))["items"]
    first = await matching.get("/ledger", limit="2")
    rest = await matching.get("/ledger", limit="2", cursor=first["next"])
    assert ([*first["items"], *rest["items"]], rest["next"]) == (whole, None)


async def test_a_spreadsheet_gets_names_and_runs_nothing(matching: Matching) -> None:
    await taught(matching)
    reply = await matching.client.get("/ledger.csv", headers=OPERATOR)
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    head, *rows = csv.reader(io.StringIO(reply.text))
    assert (head[0], head[-1], len(rows)) == ("by", "confirmed_levels", 3)
    assert {row[3] for row in rows} == {"Bee", "'=Cricket"}
    assert rows[-1][:4] == ["mentorship", "completed", "Ant", "Bee"]
    assert rows[-1][-3:] == ["2", "3", "1.00"]


async def test_balances_and_the_way_of_knowledge(matching: Matching) -> None:
    ant, bee, cricket = await taught(matching)
    reply = await matching.client.get("/ledger/balances", headers=OPERATOR)
    confirmed = {
        balance["cluster_id"]: (balance["given"]["confirmed_hundredths"], balance["taken"]["lines"])
        for balance in reply.json()["items"]
    }
    assert confirmed == {str(ant.id): (200, 0), str(bee.id): (0, 2), str(cricket.id): (0, 1)}
    id = uuid4()
    await matching.deliver(took_place(id, bee.id, cricket.id), training(id, bee.id))
    reply = await matching.client.get(f"/ledger/downstream/{ant.id}", headers=OPERATOR)
    assert [step["depth"] for step in reply.json()["items"]] == [1, 1, 1]
    reply = await matching.client.get(f"/ledger/downstream/{bee.id}", headers=OPERATOR)
    assert [step["line"]["learner_id"] for step in reply.json()["items"]] == [str(cricket.id)]


async def test_one_line_tells_the_way_of_a_need(matching: Matching) -> None:
    _, bee, cricket = await taught(matching)
    reply = await matching.client.get("/needs", headers=manager_of(bee), params={"cluster_id": str(bee.id)})
    (need,) = reply.json()["items"]
    assert (need["first"]["level"], need["level"], need["target"], need["gap"]) == (1, 3, 4, 1)
    assert [line["by"] for line in need["done"]] == ["joint_training", "mentorship"]
    reply = await matching.client.get("/needs", headers=OPERATOR, params={"cluster_id": str(cricket.id)})
    (open_need,) = reply.json()["items"]
    difference = (open_need["level"], open_need["provisional"], open_need["gap"])
    assert difference == (1, 2, 2), "what a training reported is shown beside what was measured"


async def test_what_to_join_what_to_ask_for_and_what_is_missing(matching: Matching) -> None:
    able, bees = mentor("Able"), [learner(f"Bee {number}") for number in range(3)]
    host = member("Host", {"foresight": 2})
    await matching.register(able, host, *bees)

    async def recommended() -> Json:
        return await matching.get("/recommendations", manager_of(able))

    before = await recommended()
    assert before["join"] == []
    assert {item["cluster_id"] for item in before["ask"]} == {str(bee.id) for bee in bees}
    (spot,) = before["white_spots"]
    assert (spot["indicator"], spot["levels"], spot["able"]) == ("foresight", 9, [str(able.id), str(host.id)])
    past, planned = uuid4(), uuid4()
    await matching.deliver(training(past, host.id), training(planned, host.id, TODAY, gain=2))
    after = await recommended()
    assert (after["ask"], after["white_spots"]) == ([], [])
    assert {(item["activity_id"], item["worth"]) for item in after["join"]} == {(str(planned), 6)}, (
        "one of 2017 is over"
    )
    filtered = await matching.get("/recommendations", OPERATOR, cluster_id=str(bees[0].id))
    assert [join["cluster_id"] for join in filtered["join"]] == [str(bees[0].id)]
    await matching.deliver(took_place(planned, host.id))
    assert (await recommended())["join"] == []


async def test_others_see_nothing_of_it(matching: Matching) -> None:
    await taught(matching)
    stranger = factories.signed_in(Role.manager, consortium=uuid4(), cluster=uuid4())
    assert (await matching.get("/ledger", stranger))["items"] == []
    for path in ("/ledger", "/ledger.csv", "/ledger/balances", "/needs", "/recommendations"):
        query = {"consortium_id": str(factories.CONSORTIUM)}
        reply = await matching.client.get(path, headers=stranger, params=query)
        assert problem(reply) == (404, "no-such-consortium")
    mine = {"consortium_id": str(uuid4())}
    assert (await matching.client.get("/ledger", headers=OPERATOR, params=mine)).json()["items"] == []
