"""Reading consortia."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import Consortium
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def consortia(db: ReadSession, within: UUID | None, after: tuple[str] | None, limit: int) -> Sequence[Consortium]:
    """Consortia in order of slug; only the one with the id `within`, if given."""
    query = select(Consortium)
    if within is not None:
        query = query.where(Consortium.id == within)
    return (await db.scalars(page(query, [Consortium.slug], after, limit))).all()


async def consortium(db: ReadSession, id: UUID, may_see: Callable[[UUID], bool]) -> Consortium:
    """One consortium, if `may_see(consortium)`.

    Raises:
        NotFound
    """
    consortium = await db.get(Consortium, id) if may_see(id) else None
    if consortium is None:
        raise NotFound("no-such-consortium", "There is no such consortium.")
    return consortium
