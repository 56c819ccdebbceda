"""The copy of the clusters, kept in step with what members tells."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from services.trainings.tables import Cluster
from shared.db import WriteSession


@dataclass(frozen=True, slots=True)
class Copy:
    """A cluster as an event of version `version` tells of it."""

    id: UUID
    consortium_id: UUID
    slug: str
    name: str
    version: int


async def keep(tx: WriteSession, copies: Sequence[Copy]) -> None:
    """Remember clusters, each at most once in `copies`. What is older than what is known changes nothing."""
    new = insert(Cluster).values([asdict(one) for one in copies])
    values = {name: new.excluded[name] for name in ("consortium_id", "slug", "name", "version")}
    await tx.execute(
        new.on_conflict_do_update(index_elements=["id"], set_=values, where=new.excluded.version > Cluster.version)
    )
