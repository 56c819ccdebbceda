"""Answers to proposals. Capacity is enforced in the row, at the second yes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from services.matching.commands import mentorships, replan
from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.commands.proposals import propose_next, withdraw_overtaken
from services.matching.tables import Cluster, Pair, Slots
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.envelope import Stored
from shared.events.matching import Cause, PairAccepted, PairDeclined, PairExpired
from shared.events.registry import Data

EXPIRY_BATCH_SIZE = 100
"""Proposals that are ended in one transaction, at most."""


@dataclass(frozen=True, slots=True)
class ProposalReply:
    """What one side (mentor or learner) says to a proposal, and why it declines, if it says so."""

    side: str
    accepts: bool
    reason: str | None = None


async def lock_proposal(tx: WriteSession, id: UUID, right: Callable[[UUID], bool]) -> Pair:
    """A pair that was proposed, if `right(consortium)`.

    Until the end of the transaction its row is locked, and nobody else proposes or answers in its consortium.

    Raises:
        NotFound
    """
    consortium_id = await tx.scalar(select(Pair.consortium_id).where(Pair.id == id))
    if consortium_id is not None and right(consortium_id):
        await lock_consortium(tx, PROPOSALS, consortium_id)
        pair = await tx.scalar(select(Pair).where(Pair.id == id, Pair.state != "draft").with_for_update())
        if pair is not None:
            return pair
    raise NotFound("no-such-pair", "There is no such pair.")


async def reply(tx: WriteSession, pair: Pair, expected_version: int, given: ProposalReply, now: datetime) -> None:
    """Note one side's answer to a locked pair, at a time. The second yes takes a place on both sides; one no ends it.

    Where one says no the next best mentor is proposed; what a yes leaves no use for is taken back.

    Raises:
        Stale: the pair is not at version `expected_version` any more.
        Conflict: it is decided, its time is over, this side has answered, or a side is full.
    """
    _require_open(pair, expected_version, given, now)
    setattr(pair, f"{given.side}_answer", "accepted" if given.accepts else "declined")
    pair.version += 1
    if not given.accepts:
        pair.reason = given.reason
        event = _end(tx, pair, "declined", PairDeclined(**_who(pair), side=given.side), now)
        await _replace(tx, pair, event, now)
    elif pair.mentor_answer == pair.learner_answer == "accepted":
        full = await _take_slots(tx, pair)
        event = _end(tx, pair, "accepted", PairAccepted(**_who(pair)), now)
        await mentorships.begin(tx, pair, now)
        await withdraw_overtaken(tx, pair, full, now)
        await replan.record_causes(tx, [_consortium_cause(pair, event)])


async def expire(tx: WriteSession, now: datetime) -> int:
    """End proposals whose time is over, and propose the next best mentors; how many, of one consortium at a time."""
    due = select(Pair.id, Pair.consortium_id).where(Pair.state == "proposed", Pair.expires_at < now).order_by(Pair.id)
    found = (await tx.execute(due.limit(EXPIRY_BATCH_SIZE))).all()
    if not found:
        return 0
    consortium_id = found[0].consortium_id
    await lock_consortium(tx, PROPOSALS, consortium_id)
    ids = [one.id for one in found if one.consortium_id == consortium_id]
    query = select(Pair).where(Pair.id.in_(ids), Pair.state == "proposed").order_by(Pair.id).with_for_update()
    pairs = (await tx.scalars(query)).all()
    for pair in pairs:
        pair.version += 1
        event = _end(tx, pair, "expired", PairExpired(**_who(pair)), now)
        await _replace(tx, pair, event, now)
    return len(ids)


def _require_open(pair: Pair, expected_version: int, given: ProposalReply, now: datetime) -> None:
    if pair.state != "proposed":
        raise Conflict("already-decided", f"This pair is {pair.state} already.")
    if pair.expires_at is not None and pair.expires_at < now:
        raise Conflict("expired", f"This proposal could be answered until {pair.expires_at:%-d %B %Y}.")
    if getattr(pair, f"{given.side}_answer") is not None:
        raise Conflict("already-answered", f"The {given.side} has answered already.")
    if pair.version != expected_version:
        raise Stale("stale", f"The pair has changed since: it is at version {pair.version}, not {expected_version}.")


def _who(pair: Pair) -> dict[str, UUID]:
    names = ("consortium_id", "mentor_id", "learner_id")
    return {"pair_id": pair.id} | {name: getattr(pair, name) for name in names}


def _end(tx: WriteSession, pair: Pair, state: str, data: Data, now: datetime) -> Stored:
    pair.state, pair.decided_at = state, now
    pair.events += 1
    return outbox.append(tx, data, version=pair.events)


def _consortium_cause(pair: Pair, event: Stored) -> replan.ConsortiumCause:
    cause = Cause(event_id=event.id, type=event.type, cluster_id=pair.learner_id)
    return replan.ConsortiumCause(pair.consortium_id, cause)


async def _replace(tx: WriteSession, pair: Pair, event: Stored, now: datetime) -> None:
    """Propose another mentor for one that said no, or nothing; what is free now may be worth a new plan."""
    caused = _consortium_cause(pair, event)
    await propose_next(tx, pair, caused.cause, now)
    await replan.record_causes(tx, [caused])


async def _take_slots(tx: WriteSession, pair: Pair) -> list[tuple[UUID, str]]:
    """Take a place on both sides, in order of cluster, so that two acceptances never wait for each other in a ring.

    Returns: the sides that are full now.
    """
    full = []
    for cluster_id, side in sorted([(pair.mentor_id, "mentor"), (pair.learner_id, "learner")]):
        taken = await tx.execute(
            update(Slots)
            .where(Slots.cluster_id == cluster_id, Slots.side == side, Slots.used < Slots.capacity)
            .values(used=Slots.used + 1)
            .returning(Slots.used, Slots.capacity)
        )
        row = taken.first()
        if row is None:
            raise await _no_free_slot(tx, cluster_id, side)
        if row.used == row.capacity:
            full.append((cluster_id, side))
    return full


async def _no_free_slot(tx: WriteSession, cluster_id: UUID, side: str) -> Conflict:
    name = await tx.scalar(select(Cluster.name).where(Cluster.id == cluster_id)) or "The cluster"
    places = await tx.get(Slots, (cluster_id, side))
    used, capacity = (places.used, places.capacity) if places else (0, 0)
    return Conflict("no-free-place", f"{name} has no free place as {side}: {used} of {capacity} are taken.")
