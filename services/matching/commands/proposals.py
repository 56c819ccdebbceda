"""Proposals: opened by a plan or for a service request, replaced after a decline, withdrawn when superfluous."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.queries.plan_input import criteria_in_force, load_plan_input
from services.matching.rules.inputs.criteria import Role
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


class _Origin(NamedTuple):
    """The origin of a proposal that is not part of a plan."""

    consortium_id: UUID
    request_id: UUID | None
    cause: Cause | None


def new_pair(
    pair_key: PairKey,
    score: int,
    terms: Sequence[dict[str, Any]],
    consortium_id: UUID,
    *,
    run_id: UUID | None = None,
    request_id: UUID | None = None,
    cause: Mapping[str, Any] | None = None,
) -> Pair:
    """A pair in the state draft, which is not published yet."""
    return Pair(
        id=new_id(),
        consortium_id=consortium_id,
        run_id=run_id,
        request_id=request_id,
        mentor_id=pair_key.mentor_id,
        learner_id=pair_key.learner_id,
        score=score,
        terms=list(terms),
        state="draft",
        cause=None if cause is None else dict(cause),
        events=0,
        version=1,
    )


def open_proposal(tx: WriteSession, pair: Pair, expires_at: datetime) -> None:
    """Propose a draft pair to both sides."""
    pair.state = "proposed"
    pair.expires_at = expires_at
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
    """Withdraw a locked proposal.

    Args:
        tx: the transaction.
        pair: a pair in the state proposed.
        why: plan, answered, full or archived.
        now: the time of the decision.
        run_id: the run whose plan does not contain the proposal.
    """
    pair.state, pair.decided_at = "withdrawn", now
    pair.version += 1
    pair.events += 1
    ids = {"consortium_id": pair.consortium_id, "mentor_id": pair.mentor_id, "learner_id": pair.learner_id}
    outbox.append(tx, PairWithdrawn(pair_id=pair.id, **ids, run_id=run_id, why=why), version=pair.events)


async def unresolved_requests(tx: WriteSession, cluster_ids: Iterable[UUID]) -> Sequence[Request]:
    """Service requests that arrived before their cluster was known."""
    is_resolved = exists().where(ResolvedRequest.request_id == Request.id)
    query = select(Request).where(Request.cluster_id.in_(cluster_ids), ~is_resolved)
    return (await tx.scalars(query.order_by(Request.id))).all()


async def propose_for_requests(tx: WriteSession, requests: Sequence[Request], now: datetime) -> None:
    """Propose the best mentors for service requests, once for each request, even after a replay of the events.

    A request whose cluster is not known yet stays unresolved. The plan input of a consortium is read once for all its
    requests.
    """
    query = select(Cluster.id, Cluster.consortium_id).where(
        Cluster.id.in_([request.cluster_id for request in requests])
    )
    consortium_of = {row.id: row.consortium_id for row in await tx.execute(query)}
    by_id = {request.id: request for request in requests if request.cluster_id in consortium_of}
    if not by_id:
        return
    first_time = insert(ResolvedRequest).on_conflict_do_nothing().returning(ResolvedRequest.request_id)
    by_consortium = defaultdict[UUID, list[Request]](list)
    for id in sorted(await tx.scalars(first_time, [{"request_id": id} for id in sorted(by_id)])):
        by_consortium[consortium_of[by_id[id].cluster_id]].append(by_id[id])
    for consortium_id, in_consortium in sorted(by_consortium.items()):
        await _propose_in_consortium(tx, consortium_id, in_consortium, now)


async def _propose_in_consortium(
    tx: WriteSession, consortium_id: UUID, requests: Sequence[Request], now: datetime
) -> None:
    await lock_consortium(tx, PROPOSALS, consortium_id)
    criteria = await criteria_in_force(tx, consortium_id)
    mentors = NextMentors(await load_plan_input(tx, consortium_id, criteria, now.date()))
    expires_at = now + timedelta(days=criteria.answer_days)
    for request in requests:
        skill = Skill(request.framework, request.indicator)
        origin = _Origin(consortium_id, request.id, _cause(request))
        for pair_key, score in mentors.for_request(request.cluster_id, skill, MAX_PROPOSALS_PER_REQUEST):
            _propose(tx, pair_key, score, origin, expires_at)


def _cause(request: Request) -> Cause | None:
    if request.event_id is None:
        return None
    return Cause(event_id=request.event_id, type=type_of(ServiceRequested).name, cluster_id=request.cluster_id)


async def propose_next(tx: WriteSession, pair: Pair, cause: Cause, now: datetime) -> None:
    """Propose the next best mentor with a free slot, if there is one, for a pair that was declined or has expired.

    The caller holds the consortium's lock.
    """
    await tx.flush()
    criteria = await criteria_in_force(tx, pair.consortium_id)
    plan_input = await load_plan_input(tx, pair.consortium_id, criteria, now.date())
    origin = _Origin(pair.consortium_id, pair.request_id, cause)
    for pair_key, score in await _next_pairs(tx, pair, plan_input):
        _propose(tx, pair_key, score, origin, now + timedelta(days=criteria.answer_days))


async def _next_pairs(tx: WriteSession, pair: Pair, plan_input: PlanInput) -> list[tuple[PairKey, Score]]:
    if pair.request_id is None:
        return NextMentors(plan_input).for_unmatched(pair.learner_id, 1)
    request = await tx.get(Request, pair.request_id)
    accepted = select(Pair.id).where(Pair.request_id == pair.request_id, Pair.state == "accepted").limit(1)
    if request is None or await tx.scalar(accepted) is not None:
        return []
    skill = Skill(request.framework, request.indicator)
    return NextMentors(plan_input).for_request(pair.learner_id, skill, 1)


async def withdraw_overtaken(
    tx: WriteSession, pair: Pair, full_sides: Iterable[tuple[UUID, Role]], now: datetime
) -> None:
    """Withdraw the open proposals that an accepted pair makes superfluous. The caller holds the consortium's lock.

    Args:
        tx: the transaction.
        pair: the accepted pair; other proposals for the same service request are withdrawn.
        full_sides: clusters and roles without a free slot; their proposals are withdrawn.
        now: the time of the decision.
    """
    columns = {"mentor": Pair.mentor_id, "learner": Pair.learner_id}
    is_overtaken = [columns[role] == cluster_id for cluster_id, role in full_sides]
    if pair.request_id is not None:
        is_overtaken.append(Pair.request_id == pair.request_id)
    if not is_overtaken:
        return
    query = select(Pair).where(Pair.state == "proposed", Pair.id != pair.id, or_(*is_overtaken))
    for other in (await tx.scalars(query.order_by(Pair.id).with_for_update())).all():
        same_request = pair.request_id is not None and other.request_id == pair.request_id
        withdraw(tx, other, "answered" if same_request else "full", now)


def _propose(tx: WriteSession, pair_key: PairKey, score: Score, origin: _Origin, expires_at: datetime) -> None:
    terms = [term._asdict() for term in score.terms]
    cause = None if origin.cause is None else origin.cause.model_dump(mode="json")
    pair = new_pair(pair_key, score.total, terms, origin.consortium_id, request_id=origin.request_id, cause=cause)
    tx.add(pair)
    open_proposal(tx, pair, expires_at)
