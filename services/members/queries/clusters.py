"""Reading consortia and clusters. `within` limits every query to one consortium; None sees all."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import Cluster, Consortium
from shared.db import ReadSession
from shared.errors import NotFound


async def consortia(db: ReadSession, within: UUID | None, after: tuple[str] | None, limit: int) -> Sequence[Consortium]:
    """Consortia in order of slug."""
    query = select(Consortium).order_by(Consortium.slug).limit(limit)
    if within is not None:
        query = query.where(Consortium.id == within)
    if after is not None:
        query = query.where(Consortium.slug > after[0])
    return (await db.scalars(query)).all()


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
    query = select(Cluster).order_by(Cluster.name, Cluster.id).limit(limit)
    if within is not None:
        query = query.where(Cluster.consortium_id == within)
    if after is not None:
        name, id = after
        query = query.where((Cluster.name > name) | ((Cluster.name == name) & (Cluster.id > id)))
    return (await db.scalars(query)).all()


async def cluster(db: ReadSession, id: UUID) -> Cluster:
    """One cluster.

    Raises:
        NotFound: no such cluster.
    """
    found = await db.get(Cluster, id)
    if found is None:
        raise NotFound("no-such-cluster", "There is no such cluster.")
    return found
