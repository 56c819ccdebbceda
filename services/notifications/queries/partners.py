"""Reading partners, and the partner of a key."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from services.notifications.tables import ApiKey, Partner
from shared.auth import StoredKey
from shared.db import ReadSession
from shared.errors import Forbidden
from shared.keyset import page


async def partners(db: ReadSession, after: tuple[str] | None, limit: int) -> Sequence[Partner]:
    """Partners in order of name, with their keys, also revoked ones, oldest first."""
    query = select(Partner).options(selectinload(Partner.keys))
    return (await db.scalars(page(query, [Partner.name], after, limit))).all()


async def valid_keys(db: ReadSession, prefix: str) -> Sequence[StoredKey]:
    """The keys with this prefix that are not revoked."""
    rows = await db.execute(
        select(ApiKey.hash, ApiKey.partner_id).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None))
    )
    return [StoredKey(*row) for row in rows]


async def granted_types(db: ReadSession, id: UUID | None) -> Sequence[str]:
    """The types that a partner may read; none means all.

    Raises:
        Forbidden: there is no such partner.
    """
    partner = None if id is None else await db.get(Partner, id)
    if partner is None:
        raise Forbidden("no-such-partner", "Your sign-in names no partner of this platform.")
    return partner.types
