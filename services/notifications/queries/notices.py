"""Reading notices."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.notifications.tables import Notice
from shared.db import ReadSession
from shared.keyset import page


async def notices(
    db: ReadSession, after: tuple[UUID] | None, limit: int, *, consortium: UUID | None, cluster: UUID | None
) -> Sequence[Notice]:
    """Notices, newest first; only those of `consortium` and of `cluster`, if given."""
    query = select(Notice)
    if consortium is not None:
        query = query.where(Notice.consortium_id == consortium)
    if cluster is not None:
        query = query.where(Notice.cluster_id == cluster)
    return (await db.scalars(page(query, [Notice.id], after, limit, descending=True))).all()
