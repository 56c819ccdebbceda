"""Pairs: proposed by a run or for a request, answered by both sides.

Capacity is enforced in the row, at the second yes.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update

from services.matching.commands.profiles import free_places, profiles
from services.matching.rules.profile import Profile, Skill
from services.matching.rules.score import Criteria, Score, answered, score
from services.matching.tables import Cluster, Pair, Places
from shared import outbox
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.matching import PairAccepted, PairDeclined, PairProposed, ReasonTerm
from shared.events.members import ServiceRequested

PROPOSALS = 3
"""How many mentors are proposed for a request, at most."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side (mentor or learner) says to a proposal."""

    side: str
    accepts: bool


def new_pair(
    id: UUID,
    learner: Profile,
    mentor: Profile,
    scored: Score,
    consortium_id: UUID,
    *,
    run_id: UUID | None = None,
    request_id: UUID | None = None,
) -> Pair:
    """A pair that nobody has been told of."""
    return Pair(
        id=id,
        consortium_id=consortium_id,
        run_id=run_id,
        request_id=request_id,
        mentor_id=mentor.id,
        learner_id=learner.id,
        score=scored.total,
        terms=[term._asdict() for term in scored.terms],
        state="draft",
        mentor_answer=None,
        learner_answer=None,
        events=0,
        version=1,
    )


async def live(tx: WriteSession, consortium_id: UUID) -> set[tuple[UUID, UUID]]:
    """The pairs (mentor, learner) of a consortium that are proposed or accepted."""
    query = select(Pair.mentor_id, Pair.learner_id)
    query = query.where(Pair.consortium_id == consortium_id, Pair.state.in_(("proposed", "accepted")))
    return {(mentor, learner) for mentor, learner in await tx.execute(query)}


async def propose(tx: WriteSession, pair: Pair) -> None:
    """Ask both sides."""
    pair.state = "proposed"
    pair.events += 1
    event = PairProposed(
        pair_id=pair.id,
        consortium_id=pair.consortium_id,
        mentor_id=pair.mentor_id,
        learner_id=pair.learner_id,
        score_hundredths=pair.score,
        terms=[ReasonTerm(**term) for term in pair.terms],
        run_id=pair.run_id,
        request_id=pair.request_id,
    )
    await outbox.put(tx, event, version=pair.events)


async def propose_for_request(tx: WriteSession, request: ServiceRequested) -> None:
    """Propose the best mentors with a free place that can answer a request. Once: a replay finds them there."""
    if await tx.scalar(select(Pair.id).where(Pair.request_id == request.request_id).limit(1)):
        return
    known = await profiles(tx, request.consortium_id)
    learner = known.get(request.cluster_id)
    if learner is None:
        return
    free = (await free_places(tx, list(known)))["mentor"]
    taken = await live(tx, request.consortium_id)
    asked = Skill(request.framework, request.indicator)
    ranked = sorted(
        (-scored.total, mentor.id)
        for mentor in known.values()
        if free.get(mentor.id)
        and (mentor.id, learner.id) not in taken
        and asked in answered(mentor, learner)
        and isinstance(scored := score(mentor, learner, Criteria()), Score)
    )
    for _, mentor_id in ranked[:PROPOSALS]:
        scored = score(known[mentor_id], learner, Criteria())
        if isinstance(scored, Score):
            pair = new_pair(
                new_id(), learner, known[mentor_id], scored, request.consortium_id, request_id=request.request_id
            )
            tx.add(pair)
            await tx.flush()
            await propose(tx, pair)


async def pair_of(tx: WriteSession, id: UUID) -> Pair:
    """The pair, its row locked until the end of the transaction.

    Raises:
        NotFound: no such pair, or it was never proposed.
    """
    pair = await tx.scalar(select(Pair).where(Pair.id == id, Pair.state != "draft").with_for_update())
    if pair is None:
        raise NotFound("no-such-pair", "There is no such pair.")
    return pair


async def answer(tx: WriteSession, pair: Pair, seen: int, given: Answer) -> Pair:
    """Note one side's answer to a locked pair. The second yes takes a place on both sides; one no ends it.

    Raises:
        Stale: the pair is not at version `seen` any more.
        Conflict: it is decided, this side has answered, or a side is full.
    """
    if pair.state != "proposed":
        raise Conflict("already-decided", f"This pair is {pair.state} already.")
    if getattr(pair, f"{given.side}_answer") is not None:
        raise Conflict("already-answered", f"The {given.side} has answered already.")
    if pair.version != seen:
        raise Stale("stale", f"The pair has changed since: it is at version {pair.version}, not {seen}.")
    setattr(pair, f"{given.side}_answer", "accepted" if given.accepts else "declined")
    pair.version += 1
    who = {"pair_id": pair.id, "consortium_id": pair.consortium_id}
    sides = {"mentor_id": pair.mentor_id, "learner_id": pair.learner_id}
    if not given.accepts:
        pair.state = "declined"
        pair.events += 1
        await outbox.put(tx, PairDeclined(**who, **sides, side=given.side), version=pair.events)
    elif pair.mentor_answer == pair.learner_answer == "accepted":
        await _take_places(tx, pair)
        pair.state = "accepted"
        pair.events += 1
        await outbox.put(tx, PairAccepted(**who, **sides), version=pair.events)
    return pair


async def _take_places(tx: WriteSession, pair: Pair) -> None:
    """Take a place on both sides, in order of cluster, so that two acceptances never wait for each other in a ring."""
    for cluster_id, side in sorted([(pair.mentor_id, "mentor"), (pair.learner_id, "learner")]):
        taken = await tx.execute(
            update(Places)
            .where(Places.cluster_id == cluster_id, Places.side == side, Places.used < Places.capacity)
            .values(used=Places.used + 1)
            .returning(Places.used)
        )
        if taken.first() is None:
            await _full(tx, cluster_id, side)


async def _full(tx: WriteSession, cluster_id: UUID, side: str) -> None:
    name = await tx.scalar(select(Cluster.name).where(Cluster.id == cluster_id)) or "The cluster"
    places = await tx.get(Places, (cluster_id, side))
    used, capacity = (places.used, places.capacity) if places else (0, 0)
    raise Conflict("no-free-place", f"{name} has no free place as {side}: {used} of {capacity} are taken.")
