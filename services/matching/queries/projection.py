"""Figures of the projection: its fingerprint, and the unresolved service requests."""

import hashlib
from collections.abc import Collection

from sqlalchemy import exists, func, select

from services.matching.tables import PROJECTED, Base, Level, Request, ResolvedRequest, Slots
from shared.db import ReadSession, WriteSession

_NOT_PROJECTED = {"used", "ceiling", "event_id"}


async def state_hash(db: ReadSession) -> str:
    """SHA-256 of all projected rows. The same events give the same hash in any order of arrival."""
    digest = hashlib.sha256()
    tables: tuple[type[Base], ...] = (*PROJECTED, Slots)
    for table in tables:
        columns = [column for column in table.__table__.columns if column.name not in _NOT_PROJECTED]
        keys = list(table.__table__.primary_key)
        rows = (await db.execute(select(*columns).order_by(*keys))).all()
        digest.update(repr((table.__tablename__, [tuple(map(str, row)) for row in rows])).encode())
    return digest.hexdigest()


async def scale_ends(db: ReadSession | WriteSession, frameworks: Collection[str]) -> dict[str, int]:
    """The highest level of each framework, as far as a cluster was assessed in it."""
    query = select(Level.framework, func.max(Level.scale_max).label("scale_max")).where(Level.framework.in_(frameworks))
    rows = (await db.execute(query.group_by(Level.framework))).all()
    return {row.framework: row.scale_max for row in rows}


async def count_unresolved_requests(db: ReadSession) -> int:
    """The number of service requests of clusters that are not known yet."""
    is_resolved = exists().where(ResolvedRequest.request_id == Request.id)
    return await db.scalar(select(func.count()).select_from(Request).where(~is_resolved)) or 0
