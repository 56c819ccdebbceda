"""Queries for pairs. `within` limits a list to one consortium (None: all); `right(consortium)` permits one row."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.matching.tables import Pair
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def pairs(
    db: ReadSession, within: UUID | None, state: str | None, after: tuple[UUID] | None, limit: int
) -> Sequence[Pair]:
    """Published pairs, oldest first."""
    query = select(Pair).where(Pair.state != "draft")
    if within is not None:
        query = query.where(Pair.consortium_id == within)
    if state is not None:
        query = query.where(Pair.state == state)
    return (await db.scalars(page(query, [Pair.id], after, limit))).all()


async def pair(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Pair:
    """One published pair.

    Raises:
        NotFound
    """
    row = await db.get(Pair, id)
    if row is None or row.state == "draft" or not right(row.consortium_id):
        raise NotFound("no-such-pair", "There is no such pair.")
    return row
