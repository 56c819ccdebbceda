"""Concurrent replies, expiry and withdrawal of a proposal: exactly one succeeds, and the others get an error."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from services.matching.commands import proposal_replies, proposals
from services.matching.commands.projection import upsert_clusters, upsert_slots
from services.matching.rules.inputs.plan_input import PairKey
from services.matching.tables import Pair, Slots
from shared import clock
from shared.db import Database, WriteSession
from shared.errors import Conflict
from shared.events.members import CapacityChanged
from tests.faults.simulation import Work
from tests.support import factories

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

RACES = 1000
AT_ONCE = 4
"""Number of concurrent races."""
DONE, LATE = "done", "late"
_LATER = text("SELECT pg_sleep(:seconds)")
_PUBLISHED = text("SELECT type FROM outbox WHERE key = :key ORDER BY seq")


@pytest.fixture
async def database(service_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    database = Database(await service_database("matching"), name="matching", pool_size=5 * AT_ONCE)
    yield database
    await database.close()


async def proposed(database: Database) -> Pair:
    """A proposed pair of two new clusters in a new consortium; the mentor has accepted."""
    mentor, learner, consortium = (clock.new_id() for _ in range(3))
    ends = {id: factories.cluster_registered(cluster_id=id, consortium_id=consortium) for id in (mentor, learner)}
    async with database.transaction() as tx:
        await upsert_clusters(tx, [(cluster, 1) for cluster in ends.values()])
        await upsert_slots(tx, [(cluster, 1) for cluster in ends.values()])
        pair = proposals.new_pair(PairKey(mentor, learner), 5000, [], consortium)
        tx.add(pair)
        proposals.open_proposal(tx, pair, clock.now() + timedelta(days=1))
        pair.mentor_answer, pair.version = "accepted", 2
    return pair


def reply_by(pair: Pair, *, accepts: bool) -> Work:
    """The learner's reply."""

    async def work(tx: WriteSession) -> None:
        locked = await proposal_replies.lock_proposal(tx, pair.id, lambda _: True)
        reply = proposal_replies.ProposalReply("learner", accepts)
        await proposal_replies.reply_to_proposal(tx, locked, 2, reply, clock.now())

    return work


def expires(pair: Pair) -> Work:
    """Expire proposals at a time after its expiry."""

    async def work(tx: WriteSession) -> None:
        over = update(Pair).where(Pair.id == pair.id, Pair.state == "proposed")
        await proposal_replies.lock_proposal(tx, pair.id, lambda _: True)
        await tx.execute(over.values(expires_at=clock.now() - timedelta(seconds=1)))
        if not await proposal_replies.expire(tx, pair.id, clock.now()):
            raise Conflict("already-decided", "Nothing to end.")

    return work


def is_withdrawn(pair: Pair) -> Work:
    """A newer plan withdraws the proposal."""

    async def work(tx: WriteSession) -> None:
        locked = await proposal_replies.lock_proposal(tx, pair.id, lambda _: True)
        if locked.state != "proposed":
            raise Conflict("already-decided", "Nothing to take back.")
        proposals.withdraw(tx, locked, "plan", clock.now())

    return work


def loses_its_places(pair: Pair) -> Work:
    """The mentor's capacity is reduced to 0."""
    data = CapacityChanged(
        cluster_id=pair.mentor_id, consortium_id=pair.consortium_id, mentor_capacity=0, learner_capacity=0
    )
    return lambda tx: upsert_slots(tx, [(data, 2)])


async def outcome_after(database: Database, work: Work, late: float) -> str:
    """The outcome of the work, started after a delay in seconds."""
    try:
        async with database.transaction() as tx:
            await tx.execute(_LATER, {"seconds": late})
            await work(tx)
    except Conflict as refused:
        return f"{LATE}: {refused.slug}"
    return DONE


async def race(database: Database, seed: int) -> str:
    """Run a race; return the final state of the pair."""
    rng = random.Random(seed)
    pair = await proposed(database)
    runners: list[tuple[str, Work]] = [
        ("accepted", reply_by(pair, accepts=True)),
        ("declined", reply_by(pair, accepts=False)),
        ("expired", expires(pair)),
        ("withdrawn", is_withdrawn(pair)),
    ]
    rng.shuffle(runners)
    lowered = ("lowered", loses_its_places(pair))
    started = [*runners[: rng.randint(2, 4)], *([lowered] if rng.random() < 0.5 else [])]
    works = [outcome_after(database, work, rng.random() / 200) for _, work in started]
    outcomes = dict(zip((name for name, _ in started), await asyncio.gather(*works), strict=True))
    await assert_outcome(database, pair.id, outcomes)
    return next((name for name, what in outcomes.items() if what == DONE and name != "lowered"), "proposed")


async def assert_outcome(database: Database, id: UUID, outcomes: dict[str, str]) -> None:
    """Assert that exactly one succeeded, with one event and right slots, and that the others got the right errors."""
    won = [name for name, what in outcomes.items() if what == DONE and name != "lowered"]
    allowed = {DONE, f"{LATE}: already-decided", f"{LATE}: no-free-place", f"{LATE}: expired"}
    assert set(outcomes.values()) <= allowed
    assert len(won) <= 1, outcomes
    async with database.transaction() as tx:
        pair = (await tx.scalars(select(Pair).where(Pair.id == id))).one()
        slots_by_role = {
            side.role: side for side in await tx.scalars(select(Slots).where(Slots.cluster_id == pair.mentor_id))
        }
        types = (await tx.execute(_PUBLISHED, {"key": id})).scalars().all()
    assert pair.state == (won[0] if won else "proposed"), outcomes
    if not won:
        assert outcomes["accepted"] == f"{LATE}: no-free-place"
    assert [kind.split(".")[3] for kind in types] == ["proposed", *won]
    assert (slots_by_role["mentor"].used, pair.version) == (int(pair.state == "accepted"), 3 if won else 2)


async def test_one_of_all_that_can_end_a_proposal_does(database: Database) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def run(seed: int) -> str:
        async with turns:
            return await race(database, seed)

    ended = Counter(await asyncio.gather(*(run(seed) for seed in range(RACES))))
    assert ended.total() == RACES
    assert min(ended[outcome] for outcome in ("accepted", "declined", "expired", "withdrawn")) > RACES // 20, ended
