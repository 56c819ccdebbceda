"""Plans that events cause: noted as they come, made when they have come to rest, published within bounds.

Only where a person has published a plan. What a plan of events may drop is bounded by its criteria.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands import runs
from services.matching.queries.plan_input import criteria_in_force
from services.matching.tables import Cluster, ReplanCause, Run
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict
from shared.events.matching import Cause

MAX_DEBOUNCE_FACTOR = 6
"""Events that go on without a rest are waited for no longer than so many times the rest."""
MAX_CAUSES = 50
"""How many causes a run names, at most; the newest."""

_INBOX_BEHIND = text(
    "SELECT EXISTS (SELECT FROM inbox WHERE consumer = 'matching' AND state = 'pending'"
    " AND received_at < clock_timestamp() - CAST(:rest AS interval))"
)


class ConsortiumCause(NamedTuple):
    """An event of a consortium that changed supply or need."""

    consortium_id: UUID
    cause: Cause


async def record_causes(tx: WriteSession, caused: Sequence[ConsortiumCause]) -> None:
    """Keep in mind that a new plan may be needed, where one was published."""
    consortia = {one.consortium_id for one in caused}
    published = select(Run.consortium_id).where(Run.state == "published", Run.consortium_id.in_(consortia))
    planned = set(await tx.scalars(published.distinct()))
    rows = [
        {"consortium_id": one.consortium_id, **one.cause.model_dump()} for one in caused if one.consortium_id in planned
    ]
    if rows:
        await tx.execute(insert(ReplanCause).on_conflict_do_nothing(), rows)


async def due_consortia(tx: WriteSession, rest: timedelta) -> Sequence[UUID]:
    """Consortia whose events have come to rest."""
    first, last = func.min(ReplanCause.at), func.max(ReplanCause.at)
    now = func.clock_timestamp()
    query = select(ReplanCause.consortium_id).group_by(ReplanCause.consortium_id)
    return (await tx.scalars(query.having((last < now - rest) | (first < now - MAX_DEBOUNCE_FACTOR * rest)))).all()


async def begin(tx: WriteSession, consortium_id: UUID, today: date, rest: timedelta) -> Run | None:
    """Ask for a plan of what has changed, with as little disturbance as the criteria say; None if there is no need.

    Raises:
        NotFound, Invalid: the criteria in force do not fit what is there.
        Conflict: a run of the consortium is being made, or events wait to be handled for longer than the rest: what
            is known is not what is so, as while the projection is built anew.
    """
    if await tx.scalar(_INBOX_BEHIND, {"rest": rest}) or await _projection_incomplete(tx, consortium_id):
        raise Conflict("behind", "Events wait to be handled; a plan would not know of them.")
    gone = delete(ReplanCause).where(ReplanCause.consortium_id == consortium_id).returning(ReplanCause)
    rows = sorted(await tx.scalars(gone), key=lambda row: row.at)
    criteria = await criteria_in_force(tx, consortium_id)
    if not rows or criteria.replan == "off":
        return None
    causes = [Cause(event_id=one.event_id, type=one.type, cluster_id=one.cluster_id) for one in rows[-MAX_CAUSES:]]
    wish = runs.RunRequest(criteria.for_replan, causes=causes)
    return await runs.begin(tx, new_id(), consortium_id, wish, today)


async def discard_causes(tx: WriteSession, consortium_id: UUID) -> None:
    """Let go of the events that no plan can follow."""
    await tx.execute(delete(ReplanCause).where(ReplanCause.consortium_id == consortium_id))


async def _projection_incomplete(tx: WriteSession, consortium_id: UUID) -> bool:
    """Whether fewer clusters are known than the newest plan was made for: then the projection is being built anew."""
    known = select(func.count()).select_from(Cluster).where(Cluster.consortium_id == consortium_id)
    planned = select(func.jsonb_array_length(Run.inputs["clusters"])).where(
        Run.consortium_id == consortium_id, Run.state == "published"
    )
    before = await tx.scalar(planned.order_by(Run.id.desc()).limit(1))
    return (await tx.scalar(known) or 0) < (before or 0)
