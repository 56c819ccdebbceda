"""Queries for criteria sets. `within` limits a list to a consortium (None: all); `right(consortium)` permits a row."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.matching.tables import CriteriaSet
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def criteria_sets(
    db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int
) -> Sequence[CriteriaSet]:
    """Criteria sets, oldest first."""
    query = select(CriteriaSet)
    if within is not None:
        query = query.where(CriteriaSet.consortium_id == within)
    return (await db.scalars(page(query, [CriteriaSet.id], after, limit))).all()


async def criteria_set(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> CriteriaSet:
    """One criteria set.

    Raises:
        NotFound
    """
    criteria_set = await db.get(CriteriaSet, id)
    if criteria_set is None or not right(criteria_set.consortium_id):
        raise NotFound("no-such-criteria", "There is no such criteria set.")
    return criteria_set
