"""Reading the assessments of a cluster."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import Assessment
from shared.db import ReadSession
from shared.keyset import page


async def assessments(
    db: ReadSession, cluster_id: UUID, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Assessment]:
    """A cluster's assessments, oldest first."""
    query = select(Assessment).where(Assessment.cluster_id == cluster_id)
    return (await db.scalars(page(query, [Assessment.assessed_on, Assessment.id], after, limit))).all()
