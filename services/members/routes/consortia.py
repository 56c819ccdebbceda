"""`/consortia`."""

from datetime import date
from uuid import UUID

from fastapi import Response

from services.members.commands import consortia as commands
from services.members.commands.consortia import NewConsortium
from services.members.queries import consortia as queries
from shared import clock
from shared.auth import Anyone, Operator
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx

router = Router(prefix="/consortia")


class ConsortiumView(ResponseModel):
    """A group of clusters in one programme, with one coordinator."""

    id: UUID
    slug: str
    name: str
    programme: str
    starts_on: date
    ends_on: date
    coordinator_slug: str | None


@router.post("", status_code=201)
async def create_consortium(caller: Operator, tx: Tx, body: NewConsortium, response: Response) -> ConsortiumView:
    """Create a consortium."""
    consortium = await commands.create(tx, clock.new_id(), body)
    response.headers["Location"] = f"consortia/{consortium.id}"
    return ConsortiumView.model_validate(consortium)


@router.get("")
async def list_consortia(caller: Anyone, db: Read, paging: Paging) -> Page[ConsortiumView]:
    """The consortia that the caller belongs to."""
    rows = await queries.consortia(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([ConsortiumView.model_validate(row) for row in rows], lambda row: (row.slug,))


@router.get("/{id}")
async def show_consortium(caller: Anyone, db: Read, id: UUID) -> ConsortiumView:
    """One consortium."""
    return ConsortiumView.model_validate(await queries.consortium(db, id, caller.within))
