"""`/partners` and their keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from services.notifications.commands import partners as commands
from services.notifications.queries import partners as queries
from shared import clock
from shared.auth import ApiKey, Operator
from shared.web import Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Slug, Tx

router = Router(prefix="/partners")


class NewPartner(RequestModel):
    """A partner to be."""

    name: Name
    types: Annotated[
        list[Slug], Field(max_length=100, default_factory=list, description="types of events; all public ones if empty")
    ]


class NewKeyView(ResponseModel):
    """A partner with a new key. The key is shown this once: only a hash of it is kept."""

    id: UUID
    name: str
    types: list[str]
    prefix: str = Field(description="names the key")
    key: str | None = Field(description="the key itself; null when the answer is repeated for an Idempotency-Key")


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


class ShownOnce(Response):
    """An answer with a key: what is stored of it for retries (`body`) has none."""

    media_type = "application/json"

    def __init__(self, view: NewKeyView, status: int) -> None:
        super().__init__(view.model_dump_json().encode(), status)
        self._whole = bytes(self.body)
        self.body = view.model_copy(update={"key": None}).model_dump_json().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole answer."""
        self.body = self._whole
        await super().__call__(scope, receive, send)


@router.post("", status_code=201, response_model=NewKeyView)
async def add_partner(caller: Operator, tx: Tx, body: NewPartner) -> Response:
    """Add a partner, with a first key."""
    key = ApiKey.new()
    partner = await commands.add(tx, clock.new_id(), body.name, body.types, key)
    view = NewKeyView(id=partner.id, name=partner.name, types=partner.types, prefix=key.prefix, key=key.plain)
    return ShownOnce(view, 201)


@router.get("")
async def list_partners(caller: Operator, db: Read, paging: Paging) -> Page[PartnerView]:
    """The partners, in order of name."""
    rows = await queries.partners(db, paging.after, paging.limit + 1)
    return paging.page([PartnerView.model_validate(row) for row in rows], lambda row: (row.name,))


@router.post("/{id}/keys", status_code=201, response_model=NewKeyView)
async def add_key(caller: Operator, tx: Tx, id: UUID) -> Response:
    """Give a partner one key more; those it has stay live until they are revoked."""
    key = ApiKey.new()
    partner = await commands.add_key(tx, id, key)
    view = NewKeyView(id=partner.id, name=partner.name, types=partner.types, prefix=key.prefix, key=key.plain)
    return ShownOnce(view, 201)


@router.delete("/{id}/keys/{prefix}", status_code=204)
async def revoke_key(
    caller: Operator, tx: Tx, id: UUID, prefix: Annotated[str, Path(pattern="^[A-Za-z0-9]{8,16}$")]
) -> None:
    """Revoke a key, from now on."""
    await commands.revoke(tx, id, prefix, clock.now())
