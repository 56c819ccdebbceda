"""Reading notices."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.notifications.tables import Notice
from shared.db import ReadSession


async def notices(
    db: ReadSession, after: tuple[UUID] | None, limit: int, *, consortium: UUID | None, cluster: UUID | None
) -> Sequence[Notice]:
    """Notices, newest first, of one consortium and one cluster if given."""
    query = select(Notice).order_by(Notice.id.desc()).limit(limit)
    if consortium is not None:
        query = query.where(Notice.consortium_id == consortium)
    if cluster is not None:
        query = query.where(Notice.cluster_id == cluster)
    if after is not None:
        query = query.where(Notice.id < after[0])
    return (await db.scalars(query)).all()
