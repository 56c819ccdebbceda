"""Reading runs and pairs. `within` limits a list to one consortium (None sees all), `right` says so of a single one."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.matching.tables import Pair, Run
from shared.db import ReadSession
from shared.errors import NotFound


async def runs(db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int) -> Sequence[Run]:
    """Runs, oldest first."""
    query = select(Run).order_by(Run.id).limit(limit)
    if within is not None:
        query = query.where(Run.consortium_id == within)
    if after is not None:
        query = query.where(Run.id > after[0])
    return (await db.scalars(query)).all()


async def run(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Run:
    """One run, if `right(consortium)`.

    Raises:
        NotFound
    """
    found = await db.get(Run, id)
    if found is None or not right(found.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    return found


async def pairs_of(db: ReadSession, run_id: UUID) -> Sequence[Pair]:
    """A run's pairs, the best first."""
    query = select(Pair).where(Pair.run_id == run_id).order_by(Pair.score.desc(), Pair.id)
    return (await db.scalars(query)).all()


async def pairs(
    db: ReadSession, within: UUID | None, state: str | None, after: tuple[UUID] | None, limit: int
) -> Sequence[Pair]:
    """Pairs that were proposed, oldest first."""
    query = select(Pair).where(Pair.state != "draft").order_by(Pair.id).limit(limit)
    if within is not None:
        query = query.where(Pair.consortium_id == within)
    if state is not None:
        query = query.where(Pair.state == state)
    if after is not None:
        query = query.where(Pair.id > after[0])
    return (await db.scalars(query)).all()


async def pair(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Pair:
    """A pair that was proposed, if `right(consortium)`.

    Raises:
        NotFound
    """
    found = await db.get(Pair, id)
    if found is None or found.state == "draft" or not right(found.consortium_id):
        raise NotFound("no-such-pair", "There is no such pair.")
    return found
