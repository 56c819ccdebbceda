"""The copy of the clusters, from the events of members."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.trainings.tables import Archived, Cluster
from shared.db import WriteSession
from shared.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True)
class ClusterCopy:
    """What trainings stores of a cluster, from the event with this version."""

    id: UUID
    consortium_id: UUID
    slug: str
    name: str
    version: int


async def upsert_clusters(tx: WriteSession, copies: Sequence[ClusterCopy]) -> None:
    """Store clusters, each at most once in `copies`. A copy that is older than the stored one changes nothing."""
    new = insert(Cluster).values([asdict(copy) for copy in copies])
    values = {name: new.excluded[name] for name in ("consortium_id", "slug", "name", "version")}
    await tx.execute(
        new.on_conflict_do_update(index_elements=["id"], set_=values, where=new.excluded.version > Cluster.version)
    )


async def require_active_cluster(tx: WriteSession, cluster_id: UUID, field: str) -> UUID:
    """The consortium of a cluster. A shared lock keeps the cluster from leaving until the transaction ends.

    A transaction that locks a cluster and an activity locks the cluster first.

    Args:
        tx: the transaction.
        cluster_id: a cluster that is to take part in an activity.
        field: the field of the request that errors name.

    Raises:
        Invalid: the cluster is not known here, or not yet.
        Conflict: it has left.
    """
    query = select(Cluster.consortium_id).where(Cluster.id == cluster_id).with_for_update(read=True)
    consortium_id = await tx.scalar(query)
    if consortium_id is None:
        message = "No such cluster is known to trainings. If it was registered just now, try again in a moment."
        raise Invalid("unknown-cluster", message, field=field)
    if await tx.get(Archived, cluster_id):
        raise Conflict("archived", "This cluster has left; it cannot take part in activities any more.", field=field)
    return consortium_id
