"""Replans: their causes are recorded as events arrive, and a run is requested after the debounce.

A consortium is replanned only after a coordinator has published a plan. The criteria bound how many open proposals a
replan may withdraw.
"""

from collections.abc import Collection, Sequence
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
"""Maximum debounce, as a multiple of the interval, while events keep arriving."""
MAX_CAUSES = 50
"""Maximum number of causes that a run names: the newest."""

_INBOX_BEHIND = text(
    "SELECT EXISTS (SELECT FROM inbox WHERE consumer = 'matching' AND state = 'pending'"
    " AND received_at < clock_timestamp() - CAST(:debounce AS interval))"
)


class ConsortiumCause(NamedTuple):
    """An event that changed supply or demand in a consortium."""

    consortium_id: UUID
    cause: Cause


async def record_causes(tx: WriteSession, causes: Sequence[ConsortiumCause]) -> None:
    """Record that the consortia may need a replan. Consortia without a published plan are ignored."""
    consortium_ids = {cause.consortium_id for cause in causes}
    published = select(Run.consortium_id).where(Run.state == "published", Run.consortium_id.in_(consortium_ids))
    with_plan = set(await tx.scalars(published.distinct()))
    rows = [
        {"consortium_id": cause.consortium_id, **cause.cause.model_dump()}
        for cause in causes
        if cause.consortium_id in with_plan
    ]
    if rows:
        await tx.execute(insert(ReplanCause).on_conflict_do_nothing(), rows)


async def due_consortia(tx: WriteSession, debounce: timedelta, excluded: Collection[UUID]) -> Sequence[UUID]:
    """Consortia, except those `excluded`, whose debounce is over.

    There was no new cause for `debounce`, or there were causes for `MAX_DEBOUNCE_FACTOR` times that.
    """
    first, last = func.min(ReplanCause.recorded_at), func.max(ReplanCause.recorded_at)
    now = func.clock_timestamp()
    query = select(ReplanCause.consortium_id).group_by(ReplanCause.consortium_id)
    query = query.where(ReplanCause.consortium_id.not_in(excluded))
    is_due = (last < now - debounce) | (first < now - MAX_DEBOUNCE_FACTOR * debounce)
    return (await tx.scalars(query.having(is_due))).all()


async def begin(tx: WriteSession, consortium_id: UUID, today: date, debounce: timedelta) -> Run | None:
    """Request a run for the recorded causes, and delete them.

    Returns:
        None if there are no causes, or the criteria switch replans off.

    Raises:
        NotFound, Invalid: the criteria in force do not fit the clusters.
        Conflict: a run of the consortium is running, or the projection lacks events: they have been pending for longer
            than the debounce, or it is being rebuilt.
    """
    if await tx.scalar(_INBOX_BEHIND, {"debounce": debounce}) or await _projection_incomplete(tx, consortium_id):
        raise Conflict("behind", "Events are waiting to be handled; the plan would not include them.")
    deleted = delete(ReplanCause).where(ReplanCause.consortium_id == consortium_id).returning(ReplanCause)
    rows = sorted(await tx.scalars(deleted), key=lambda row: row.recorded_at)
    criteria = await criteria_in_force(tx, consortium_id)
    if not rows or criteria.replan == "off":
        return None
    causes = [Cause(event_id=row.event_id, type=row.type, cluster_id=row.cluster_id) for row in rows[-MAX_CAUSES:]]
    request = runs.RunRequest(criteria.for_replan, causes=causes)
    return await runs.begin(tx, new_id(), consortium_id, request, today)


async def discard_causes(tx: WriteSession, consortium_id: UUID) -> None:
    """Delete the recorded causes of a consortium that cannot be replanned."""
    await tx.execute(delete(ReplanCause).where(ReplanCause.consortium_id == consortium_id))


async def _projection_incomplete(tx: WriteSession, consortium_id: UUID) -> bool:
    """Whether fewer clusters are known than in the newest published plan, as during a rebuild of the projection."""
    known = select(func.count()).select_from(Cluster).where(Cluster.consortium_id == consortium_id)
    planned = select(func.jsonb_array_length(Run.inputs["clusters"])).where(
        Run.consortium_id == consortium_id, Run.state == "published"
    )
    in_newest_plan = await tx.scalar(planned.order_by(Run.id.desc()).limit(1))
    return (await tx.scalar(known) or 0) < (in_newest_plan or 0)
