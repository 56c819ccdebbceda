"""Reading service requests."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.members.tables import ServiceRequest
from shared.db import ReadSession
from shared.keyset import page


async def service_requests(
    db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int
) -> Sequence[ServiceRequest]:
    """Service requests, oldest first; only those of the consortium `within`, if given."""
    query = select(ServiceRequest)
    if within is not None:
        query = query.where(ServiceRequest.consortium_id == within)
    return (await db.scalars(page(query, [ServiceRequest.id], after, limit))).all()
