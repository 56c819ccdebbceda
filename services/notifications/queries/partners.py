"""Reading partners, and finding whom a key belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from services.notifications.tables import ApiKey, Partner
from shared.auth import StoredKey
from shared.db import ReadSession
from shared.errors import Forbidden
from shared.keyset import page


@dataclass(frozen=True, slots=True)
class Listed:
    """A partner with all keys it ever had, oldest first."""

    id: UUID
    name: str
    types: list[str]
    created_at: datetime
    keys: list[ApiKey]


async def partners(db: ReadSession, after: tuple[str] | None, limit: int) -> list[Listed]:
    """Partners in order of name."""
    found = (await db.scalars(page(select(Partner), [Partner.name], after, limit))).all()
    owned = select(ApiKey).where(ApiKey.partner_id.in_([one.id for one in found]))
    keys = (await db.scalars(owned.order_by(ApiKey.created_at, ApiKey.prefix))).all()
    return [
        Listed(one.id, one.name, one.types, one.created_at, [key for key in keys if key.partner_id == one.id])
        for one in found
    ]


async def find(db: ReadSession, prefix: str) -> Sequence[StoredKey]:
    """The live keys with this prefix."""
    rows = await db.execute(
        select(ApiKey.hash, ApiKey.partner_id).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None))
    )
    return [StoredKey(*row) for row in rows]


async def granted(db: ReadSession, id: UUID | None) -> Sequence[str]:
    """The types a partner may read; none means all.

    Raises:
        Forbidden: there is no such partner.
    """
    partner = None if id is None else await db.get(Partner, id)
    if partner is None:
        raise Forbidden("no-such-partner", "Your sign-in names no partner of this platform.")
    return partner.types
