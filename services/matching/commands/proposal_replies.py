"""Replies to proposals. Capacity is enforced in the row of the slots, when the second side accepts."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, update

from services.matching.commands import mentorships, replan
from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.commands.proposals import propose_next, withdraw_overtaken
from services.matching.rules.inputs.criteria import Role
from services.matching.tables import Cluster, Pair, Slots
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.envelope import Stored
from shared.events.matching import Cause, PairAccepted, PairDeclined, PairExpired
from shared.events.registry import Data

EXPIRY_BATCH_SIZE = 100
"""Maximum number of proposals that are read at once."""


@dataclass(frozen=True, slots=True)
class ProposalReply:
    """The reply of one side to a proposal, with an optional reason for a decline."""

    role: Role
    accepts: bool
    reason: str | None = None


async def lock_proposal(tx: WriteSession, id: UUID, right: Callable[[UUID], bool]) -> Pair:
    """Load a published pair and lock it and the proposals of its consortium until the transaction ends.

    Raises:
        NotFound: also if `right(consortium)` is false.
    """
    consortium_id = await tx.scalar(select(Pair.consortium_id).where(Pair.id == id))
    if consortium_id is not None and right(consortium_id):
        await lock_consortium(tx, PROPOSALS, consortium_id)
        pair = await tx.scalar(select(Pair).where(Pair.id == id, Pair.state != "draft").with_for_update())
        if pair is not None:
            return pair
    raise NotFound("no-such-pair", "There is no such pair.")


async def reply_to_proposal(
    tx: WriteSession, pair: Pair, expected_version: int, reply: ProposalReply, now: datetime
) -> None:
    """Record the reply of one side to a locked pair.

    If both sides have accepted, each takes a slot, the mentorship begins, and proposals that it makes superfluous are
    withdrawn. A decline closes the pair, and the next best mentor is proposed.

    Raises:
        Stale: the pair is not at `expected_version` any more.
        Conflict: the pair is closed or expired, this side has replied, or a side has no free slot.
    """
    _require_open(pair, expected_version, reply.role, now)
    pair.set_answer(reply.role, "accepted" if reply.accepts else "declined")
    pair.version += 1
    if not reply.accepts:
        pair.reason = reply.reason
        event = _close(tx, pair, "declined", PairDeclined(**_ids(pair), side=reply.role), now)
        await _replace(tx, pair, event, now)
    elif pair.mentor_answer == pair.learner_answer == "accepted":
        full_sides = await _take_slots(tx, pair)
        event = _close(tx, pair, "accepted", PairAccepted(**_ids(pair)), now)
        await mentorships.begin(tx, pair, now)
        await withdraw_overtaken(tx, pair, full_sides, now)
        await replan.record_causes(tx, [_consortium_cause(pair, event)])


async def due(tx: WriteSession, now: datetime, excluded: Collection[UUID]) -> Sequence[UUID]:
    """Some proposals whose time to reply is over; none if all of them are `excluded`."""
    query = select(Pair.id).where(*_is_over(now), Pair.id.not_in(excluded))
    return (await tx.scalars(query.order_by(Pair.id).limit(EXPIRY_BATCH_SIZE))).all()


async def expire(tx: WriteSession, id: UUID, now: datetime) -> bool:
    """Close a proposal whose time to reply is over, and propose the next best mentor.

    Returns:
        Whether its time was over and it was open.
    """
    consortium_id = await tx.scalar(select(Pair.consortium_id).where(Pair.id == id))
    if consortium_id is None:
        return False
    await lock_consortium(tx, PROPOSALS, consortium_id)
    pair = await tx.scalar(select(Pair).where(Pair.id == id, *_is_over(now)).with_for_update())
    if pair is None:
        return False
    pair.version += 1
    event = _close(tx, pair, "expired", PairExpired(**_ids(pair)), now)
    await _replace(tx, pair, event, now)
    return True


def _is_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Pair.state == "proposed", Pair.expires_at < now


def _require_open(pair: Pair, expected_version: int, role: Role, now: datetime) -> None:
    if pair.state != "proposed":
        raise Conflict("already-decided", f"This pair is {pair.state} already.")
    if pair.expires_at is not None and pair.expires_at < now:
        raise Conflict("expired", f"This proposal could be answered until {pair.expires_at:%-d %B %Y}.")
    if pair.answer_of(role) is not None:
        raise Conflict("already-answered", f"The {role} has answered already.")
    if pair.version != expected_version:
        raise Stale("stale", f"The pair has changed since: it is at version {pair.version}, not {expected_version}.")


def _ids(pair: Pair) -> dict[str, UUID]:
    """The fields that all events of a pair have."""
    return {
        "pair_id": pair.id,
        "consortium_id": pair.consortium_id,
        "mentor_id": pair.mentor_id,
        "learner_id": pair.learner_id,
    }


def _close(tx: WriteSession, pair: Pair, state: str, data: Data, now: datetime) -> Stored:
    pair.state, pair.decided_at = state, now
    pair.events += 1
    return outbox.append(tx, data, version=pair.events)


def _consortium_cause(pair: Pair, event: Stored) -> replan.ConsortiumCause:
    cause = Cause(event_id=event.id, type=event.type, cluster_id=pair.learner_id)
    return replan.ConsortiumCause(pair.consortium_id, cause)


async def _replace(tx: WriteSession, pair: Pair, event: Stored, now: datetime) -> None:
    """Propose another mentor for a closed pair, if there is one, and record the event as a cause of a replan."""
    cause = _consortium_cause(pair, event)
    await propose_next(tx, pair, cause.cause, now)
    await replan.record_causes(tx, [cause])


async def _take_slots(tx: WriteSession, pair: Pair) -> list[tuple[UUID, Role]]:
    """Take a slot on both sides, in order of cluster, so that two acceptances cannot deadlock.

    Returns:
        The sides that have no free slot left.

    Raises:
        Conflict: a side has no free slot.
    """
    full_sides = []
    for cluster_id, role in pair.sides:
        query = update(Slots).where(Slots.cluster_id == cluster_id, Slots.role == role, Slots.used < Slots.capacity)
        result = await tx.execute(query.values(used=Slots.used + 1).returning(Slots.used, Slots.capacity))
        row = result.first()
        if row is None:
            raise await _no_free_slot(tx, cluster_id, role)
        if row.used == row.capacity:
            full_sides.append((cluster_id, role))
    return full_sides


async def _no_free_slot(tx: WriteSession, cluster_id: UUID, role: Role) -> Conflict:
    name = await tx.scalar(select(Cluster.name).where(Cluster.id == cluster_id)) or "The cluster"
    slots = await tx.get(Slots, (cluster_id, role))
    used, capacity = (slots.used, slots.capacity) if slots else (0, 0)
    return Conflict("no-free-place", f"{name} has no free place as {role}: {used} of {capacity} are taken.")
