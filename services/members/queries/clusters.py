"""Reading consortia and clusters. `within` limits every query to one consortium; None sees all."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import Cluster, Consortium
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def consortia(db: ReadSession, within: UUID | None, after: tuple[str] | None, limit: int) -> Sequence[Consortium]:
    """Consortia in order of slug."""
    query = select(Consortium)
    if within is not None:
        query = query.where(Consortium.id == within)
    return (await db.scalars(page(query, [Consortium.slug], after, limit))).all()


async def consortium(db: ReadSession, id: UUID) -> Consortium:
    """One consortium.

    Raises:
        NotFound: no such consortium.
    """
    found = await db.get(Consortium, id)
    if found is None:
        raise NotFound("no-such-consortium", "There is no such consortium.")
    return found


async def clusters(
    db: ReadSession, within: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Cluster]:
    """Clusters in order of name."""
    query = select(Cluster)
    if within is not None:
        query = query.where(Cluster.consortium_id == within)
    return (await db.scalars(page(query, [Cluster.name, Cluster.id], after, limit))).all()


async def cluster(db: ReadSession, id: UUID) -> Cluster:
    """One cluster.

    Raises:
        NotFound: no such cluster.
    """
    found = await db.get(Cluster, id)
    if found is None:
        raise NotFound("no-such-cluster", "There is no such cluster.")
    return found
