"""Pairs: proposed by a run or for a request, answered by both sides.

Capacity is enforced in the row, at the second yes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands.locks import alone
from services.matching.commands.situation import question_of
from services.matching.rules.criteria import Criteria
from services.matching.rules.for_request import best_mentors
from services.matching.rules.profile import Skill
from services.matching.rules.question import Two
from services.matching.tables import AnsweredRequest, Cluster, Pair, Places
from shared import outbox
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.matching import PairAccepted, PairDeclined, PairProposed, PairWithdrawn, ReasonTerm
from shared.events.members import ServiceRequested

PROPOSALS = 3
"""How many mentors are proposed for a request, at most."""

PROPOSING = 0x70616972
"""First key of the advisory lock under which pairs of a consortium are proposed, so that no pair is live twice."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side (mentor or learner) says to a proposal."""

    side: str
    accepts: bool


def new_pair(
    two: Two,
    score: int,
    terms: Sequence[dict[str, Any]],
    consortium_id: UUID,
    *,
    run_id: UUID | None = None,
    request_id: UUID | None = None,
) -> Pair:
    """A pair that nobody has been told of."""
    return Pair(
        id=new_id(),
        consortium_id=consortium_id,
        run_id=run_id,
        request_id=request_id,
        mentor_id=two.mentor_id,
        learner_id=two.learner_id,
        score=score,
        terms=list(terms),
        state="draft",
        events=0,
        version=1,
    )


def propose(tx: WriteSession, pair: Pair) -> None:
    """Ask both sides."""
    pair.state = "proposed"
    pair.events += 1
    event = PairProposed(
        pair_id=pair.id,
        consortium_id=pair.consortium_id,
        mentor_id=pair.mentor_id,
        learner_id=pair.learner_id,
        score_hundredths=pair.score,
        terms=[
            ReasonTerm.model_validate({name: term[name] for name in ReasonTerm.model_fields}) for term in pair.terms
        ],
        run_id=pair.run_id,
        request_id=pair.request_id,
    )
    outbox.put(tx, event, version=pair.events)


def withdraw(tx: WriteSession, pair: Pair, run_id: UUID) -> None:
    """Take back a locked proposal, since the plan of a run does without it."""
    pair.state = "withdrawn"
    pair.version += 1
    pair.events += 1
    sides = {"mentor_id": pair.mentor_id, "learner_id": pair.learner_id}
    event = PairWithdrawn(pair_id=pair.id, consortium_id=pair.consortium_id, **sides, run_id=run_id)
    outbox.put(tx, event, version=pair.events)


async def propose_for_request(tx: WriteSession, request: ServiceRequested, today: date) -> None:
    """Propose the best mentors that can answer a request, by what is known now. Once, whatever is replayed later."""
    first = insert(AnsweredRequest).values(request_id=request.request_id).on_conflict_do_nothing()
    if await tx.scalar(first.returning(AnsweredRequest.request_id)) is None:
        return
    await alone(tx, PROPOSING, request.consortium_id)
    question = await question_of(tx, request.consortium_id, Criteria(), today)
    asked = Skill(request.framework, request.indicator)
    for two, score in best_mentors(question, request.cluster_id, asked, PROPOSALS):
        terms = [term._asdict() for term in score.terms]
        pair = new_pair(two, score.total, terms, request.consortium_id, request_id=request.request_id)
        tx.add(pair)
        propose(tx, pair)


async def proposed(tx: WriteSession, id: UUID, right: Callable[[UUID], bool]) -> Pair:
    """A pair that was proposed, if `right(consortium)`; its row is locked until the end of the transaction.

    Raises:
        NotFound
    """
    pair = await tx.scalar(select(Pair).where(Pair.id == id, Pair.state != "draft").with_for_update())
    if pair is None or not right(pair.consortium_id):
        raise NotFound("no-such-pair", "There is no such pair.")
    return pair


async def answer(tx: WriteSession, pair: Pair, seen: int, given: Answer, now: datetime) -> None:
    """Note one side's answer to a locked pair, at a time. The second yes takes a place on both sides; one no ends it.

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
        pair.state, pair.decided_at = "declined", now
        pair.events += 1
        outbox.put(tx, PairDeclined(**who, **sides, side=given.side), version=pair.events)
    elif pair.mentor_answer == pair.learner_answer == "accepted":
        await _take_places(tx, pair)
        pair.state, pair.decided_at = "accepted", now
        pair.events += 1
        outbox.put(tx, PairAccepted(**who, **sides), version=pair.events)


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
            raise await _full(tx, cluster_id, side)


async def _full(tx: WriteSession, cluster_id: UUID, side: str) -> Conflict:
    name = await tx.scalar(select(Cluster.name).where(Cluster.id == cluster_id)) or "The cluster"
    places = await tx.get(Places, (cluster_id, side))
    used, capacity = (places.used, places.capacity) if places else (0, 0)
    return Conflict("no-free-place", f"{name} has no free place as {side}: {used} of {capacity} are taken.")
