"""`/partners` and their keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from services.notifications.commands import partners as commands
from services.notifications.commands.partners import NewPartner
from services.notifications.queries import partners as queries
from shared import clock
from shared.auth import ApiKey, Operator
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx

router = Router(prefix="/partners")


class NewKeyView(ResponseModel):
    """A partner with a new key. The key is shown only once: only its hash is stored."""

    id: UUID
    name: str
    types: list[str]
    prefix: str = Field(description="identifies the key")
    key: str | None = Field(description="the key itself; null when the response is repeated for an Idempotency-Key")


class KeyView(ResponseModel):
    """A key without its secret."""

    prefix: str
    created_at: datetime
    revoked_at: datetime | None


class PartnerView(ResponseModel):
    """A system or organisation that reads the feed."""

    id: UUID
    name: str
    types: list[str]
    created_at: datetime
    keys: list[KeyView]


class NewKeyResponse(Response):
    """A response with a new key. What is stored of it for retries (`body`) has no key."""

    media_type = "application/json"

    def __init__(self, partner_id: UUID, name: str, types: list[str], key: ApiKey) -> None:
        view = NewKeyView(id=partner_id, name=name, types=types, prefix=key.prefix, key=key.plain)
        super().__init__(view.model_dump_json().encode(), 201)
        self._body_with_key = bytes(self.body)
        self.body = view.model_copy(update={"key": None}).model_dump_json().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response with the key."""
        self.body = self._body_with_key
        await super().__call__(scope, receive, send)


@router.post("", status_code=201, response_model=NewKeyView)
async def add_partner(caller: Operator, tx: Tx, body: NewPartner) -> Response:
    """Add a partner, with a first key."""
    key = ApiKey.new()
    partner = await commands.add(tx, clock.new_id(), body, key)
    return NewKeyResponse(partner.id, partner.name, partner.types, key)


@router.get("")
async def list_partners(caller: Operator, db: Read, paging: Paging) -> Page[PartnerView]:
    """The partners in order of name, with their keys."""
    rows = await queries.partners(db, paging.after, paging.limit + 1)
    return paging.page([PartnerView.model_validate(row) for row in rows], lambda row: (row.name,))


@router.post("/{id}/keys", status_code=201, response_model=NewKeyView)
async def add_key(caller: Operator, tx: Tx, id: UUID) -> Response:
    """Give a partner another key. Its other keys stay valid until they are revoked."""
    key = ApiKey.new()
    partner = await commands.add_key(tx, id, key)
    return NewKeyResponse(partner.id, partner.name, partner.types, key)


@router.delete("/{id}/keys/{prefix}", status_code=204)
async def revoke_key(
    caller: Operator, tx: Tx, id: UUID, prefix: Annotated[str, Path(pattern="^[A-Za-z0-9]{8,16}$")]
) -> None:
    """Revoke a key with immediate effect."""
    await commands.revoke(tx, id, prefix, clock.now())
