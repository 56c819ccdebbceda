"""Reading clusters."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import Cluster
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def clusters(
    db: ReadSession, within: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Cluster]:
    """Clusters in order of name; only those of the consortium `within`, if given."""
    query = select(Cluster)
    if within is not None:
        query = query.where(Cluster.consortium_id == within)
    return (await db.scalars(page(query, [Cluster.name, Cluster.id], after, limit))).all()


async def cluster(db: ReadSession, id: UUID, may_see: Callable[[UUID], bool]) -> Cluster:
    """One cluster, if `may_see(consortium)`. The error does not tell whether the cluster exists.

    Raises:
        NotFound
    """
    cluster = await db.get(Cluster, id)
    if cluster is None or not may_see(cluster.consortium_id):
        raise NotFound("no-such-cluster", "There is no such cluster.")
    return cluster
