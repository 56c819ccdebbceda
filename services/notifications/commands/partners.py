"""Partners and their keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.exc import IntegrityError

from services.notifications.rules import subscriptions
from services.notifications.tables import ApiKey, Partner
from shared import auth
from shared.db import WriteSession
from shared.errors import Conflict, NotFound
from shared.events import registry
from shared.schemas import Name, RequestModel, Slug


class NewPartner(RequestModel):
    """A partner to be added."""

    name: Name
    types: Annotated[
        list[Slug], Field(max_length=100, default_factory=list, description="types of events; all public ones if empty")
    ]


async def add(tx: WriteSession, id: UUID, new: NewPartner, key: auth.ApiKey) -> Partner:
    """Add a partner with a first key.

    Raises:
        Invalid: there is no such public type.
        Conflict: the name is taken.
    """
    public = [entry.name for entry in registry().values() if entry.public]
    partner = Partner(id=id, name=new.name, types=subscriptions.check_grant(new.types, public))
    tx.add(partner)
    try:
        await tx.flush()
    except IntegrityError as error:
        raise Conflict("name-taken", f"There is a partner {new.name!r} already.", field="name") from error
    await _store_key(tx, id, key)
    return partner


async def add_key(tx: WriteSession, partner_id: UUID, key: auth.ApiKey) -> Partner:
    """Give a partner another key.

    Raises:
        NotFound
    """
    partner = await tx.get(Partner, partner_id)
    if partner is None:
        raise NotFound("no-such-partner", "There is no such partner.")
    await _store_key(tx, partner_id, key)
    return partner


async def revoke(tx: WriteSession, partner_id: UUID, prefix: str, now: datetime) -> None:
    """Revoke a key. To revoke it again has no effect.

    Raises:
        NotFound
    """
    key = await tx.get(ApiKey, prefix, with_for_update=True)
    if key is None or key.partner_id != partner_id:
        raise NotFound("no-such-key", "The partner has no such key.")
    key.revoked_at = key.revoked_at or now


async def _store_key(tx: WriteSession, partner_id: UUID, key: auth.ApiKey) -> None:
    tx.add(ApiKey(prefix=key.prefix, hash=key.hash, partner_id=partner_id))
    await tx.flush()
