"""Proposals: made by a plan or for a request, offered anew when one is declined, and taken back when overtaken."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.queries.plan_input import criteria_in_force, load_plan_input
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.planning.next_mentors import NextMentors
from services.matching.rules.scoring.pair_score import Score
from services.matching.tables import Cluster, Pair, Request, ResolvedRequest
from shared import outbox
from shared.clock import new_id
from shared.db import WriteSession
from shared.events.matching import Cause, PairProposed, PairWithdrawn, ReasonTerm
from shared.events.members import ServiceRequested
from shared.events.registry import type_of

MAX_PROPOSALS_PER_REQUEST = 3
"""How many mentors are proposed for a request, at most."""


class _Origin(NamedTuple):
    """Where a proposal that no plan made comes from."""

    consortium_id: UUID
    request_id: UUID | None
    cause: Cause | None


def new_pair(
    two: PairKey,
    score: int,
    terms: Sequence[dict[str, Any]],
    consortium_id: UUID,
    *,
    run_id: UUID | None = None,
    request_id: UUID | None = None,
    cause: Mapping[str, Any] | None = None,
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
        cause=None if cause is None else dict(cause),
        events=0,
        version=1,
    )


def open_proposal(tx: WriteSession, pair: Pair, until: datetime) -> None:
    """Ask both sides, who can answer until then."""
    pair.state = "proposed"
    pair.expires_at = until
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
        cause=None if pair.cause is None else Cause.model_validate(pair.cause, strict=False),
    )
    outbox.append(tx, event, version=pair.events)


def withdraw(tx: WriteSession, pair: Pair, why: str, now: datetime, run_id: UUID | None = None) -> None:
    """Take back a locked proposal: a plan does without it, its request is answered, or a side is full."""
    pair.state, pair.decided_at = "withdrawn", now
    pair.version += 1
    pair.events += 1
    sides = {"mentor_id": pair.mentor_id, "learner_id": pair.learner_id}
    event = PairWithdrawn(pair_id=pair.id, consortium_id=pair.consortium_id, **sides, run_id=run_id, why=why)
    outbox.append(tx, event, version=pair.events)


async def unresolved_requests(tx: WriteSession, clusters: Iterable[UUID]) -> Sequence[Request]:
    """Requests of clusters that were not known when they came."""
    answered = exists().where(ResolvedRequest.request_id == Request.id)
    query = select(Request).where(Request.cluster_id.in_(clusters), ~answered)
    return (await tx.scalars(query.order_by(Request.id))).all()


async def propose_for_requests(tx: WriteSession, requests: Sequence[Request], now: datetime) -> None:
    """Propose the best mentors that can answer requests, by what is known now. Once, whatever is replayed later.

    While its cluster is not known a request waits. What is known of a consortium is read once for all its requests.
    """
    clusters = select(Cluster.id, Cluster.consortium_id).where(Cluster.id.in_([one.cluster_id for one in requests]))
    known = {row.id: row.consortium_id for row in await tx.execute(clusters)}
    by_id = {one.id: one for one in requests if one.cluster_id in known}
    if not by_id:
        return
    first = insert(ResolvedRequest).on_conflict_do_nothing().returning(ResolvedRequest.request_id)
    by_consortium = defaultdict[UUID, list[Request]](list)
    for id in sorted(await tx.scalars(first, [{"request_id": id} for id in sorted(by_id)])):
        by_consortium[known[by_id[id].cluster_id]].append(by_id[id])
    for consortium_id, ours in sorted(by_consortium.items()):
        await _propose_in_consortium(tx, consortium_id, ours, now)


async def _propose_in_consortium(
    tx: WriteSession, consortium_id: UUID, requests: Sequence[Request], now: datetime
) -> None:
    await lock_consortium(tx, PROPOSALS, consortium_id)
    criteria = await criteria_in_force(tx, consortium_id)
    mentors = NextMentors(await load_plan_input(tx, consortium_id, criteria, now.date()))
    until = now + timedelta(days=criteria.answer_days)
    for request in requests:
        asked = Skill(request.framework, request.indicator)
        origin = _Origin(consortium_id, request.id, _cause(request))
        for two, score in mentors.for_request(request.cluster_id, asked, MAX_PROPOSALS_PER_REQUEST):
            _propose(tx, two, score, origin, until)


def _cause(request: Request) -> Cause | None:
    if request.event_id is None:
        return None
    return Cause(event_id=request.event_id, type=type_of(ServiceRequested).name, cluster_id=request.cluster_id)


async def propose_next(tx: WriteSession, pair: Pair, cause: Cause, now: datetime) -> None:
    """Propose the next best mentor in place of a pair that was declined or not answered, if there is one with a place.

    The caller holds the consortium's lock.
    """
    await tx.flush()
    criteria = await criteria_in_force(tx, pair.consortium_id)
    question = await load_plan_input(tx, pair.consortium_id, criteria, now.date())
    origin = _Origin(pair.consortium_id, pair.request_id, cause)
    for two, score in await _next_pairs(tx, pair, question):
        _propose(tx, two, score, origin, now + timedelta(days=criteria.answer_days))


async def _next_pairs(tx: WriteSession, pair: Pair, question: PlanInput) -> list[tuple[PairKey, Score]]:
    if pair.request_id is None:
        return NextMentors(question).for_unmatched(pair.learner_id, 1)
    request = await tx.get(Request, pair.request_id)
    met = select(Pair.id).where(Pair.request_id == pair.request_id, Pair.state == "accepted").limit(1)
    if request is None or await tx.scalar(met) is not None:
        return []
    asked = Skill(request.framework, request.indicator)
    return NextMentors(question).for_request(pair.learner_id, asked, 1)


async def withdraw_overtaken(tx: WriteSession, pair: Pair, full: Iterable[tuple[UUID, str]], now: datetime) -> None:
    """Take back the open proposals that an accepted pair leaves no use for; `full` are sides without a place now.

    The caller holds the consortium's lock.
    """
    columns = {"mentor": Pair.mentor_id, "learner": Pair.learner_id}
    overtaken = [columns[side] == cluster_id for cluster_id, side in full]
    if pair.request_id is not None:
        overtaken.append(Pair.request_id == pair.request_id)
    if not overtaken:
        return
    query = select(Pair).where(Pair.state == "proposed", Pair.id != pair.id, or_(*overtaken))
    for other in (await tx.scalars(query.order_by(Pair.id).with_for_update())).all():
        met = pair.request_id is not None and other.request_id == pair.request_id
        withdraw(tx, other, "answered" if met else "full", now)


def _propose(tx: WriteSession, two: PairKey, score: Score, origin: _Origin, until: datetime) -> None:
    terms = [term._asdict() for term in score.terms]
    cause = None if origin.cause is None else origin.cause.model_dump(mode="json")
    pair = new_pair(two, score.total, terms, origin.consortium_id, request_id=origin.request_id, cause=cause)
    tx.add(pair)
    open_proposal(tx, pair, until)
