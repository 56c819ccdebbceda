"""A service as small as one can be that uses every part of the edge."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client.core import GaugeMetricFamily
from pydantic import Field
from sqlalchemy import Column, Integer, Table, Text, Uuid, insert, select, text, tuple_, update

from shared import clock, telemetry
from shared.auth import Principal, Role, StoredKey, allow, anyone_signed_in, partner_key, public
from shared.auth.apikeys import digest
from shared.db import ReadSession, metadata
from shared.errors import Conflict, NotFound, Stale
from shared.web import (
    Count,
    Drain,
    IfMatch,
    Name,
    Ops,
    Page,
    Paging,
    Read,
    RequestModel,
    ResponseModel,
    Router,
    Tx,
    etag,
    idempotency_table,
    long_lived,
)
from shared.web import LongText as TextField

METADATA = metadata()
ITEM = Table(
    "item",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("stock", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)
idempotency_table(METADATA)
KEY = "kei_abcdefgh1234_" + "s" * 43
PARTNER = UUID(int=7)


class Size(RequestModel):
    """A nested model."""

    width: Count
    made: date | None = None


class NewItem(RequestModel):
    """What a caller sends."""

    name: Name
    stock: Count = 0
    note: TextField = ""
    owner: UUID | None = None
    sizes: list[Size] = Field(default_factory=list)


class Item(ResponseModel):
    """What a caller gets."""

    id: UUID
    name: str
    stock: int
    version: int


Coordinator = Annotated[Principal, allow(Role.coordinator, Role.operator)]
SignedIn = Annotated[Principal, anyone_signed_in()]


async def find_key(db: ReadSession, prefix: str) -> list[StoredKey]:
    """The service's lookup of keys, through the database as a real one."""
    known = await db.scalar(text("SELECT CAST(:prefix AS text)"), {"prefix": prefix})
    return [StoredKey(digest("kei_x"), UUID(int=8)), StoredKey(digest(KEY), PARTNER)] if known in KEY else []


def router() -> Router:
    """The shop's routes."""
    router = Router(prefix="/items", tags=["items"])
    _writes(router)
    _reads(router)
    return router


def _writes(router: Router) -> None:
    @router.post("", status_code=201)
    async def create(tx: Tx, body: NewItem, response: Response, caller: Coordinator) -> Item:
        """Put a new item on the shelf."""
        item = Item(id=clock.new_id(), name=body.name, stock=body.stock, version=1)
        await tx.execute(insert(ITEM).values(item.model_dump()))
        if body.name == "taken":
            raise Conflict("taken", f"{caller.subject}: there is one already.", field="name")
        response.headers["Location"] = f"/items/{item.id}"
        etag(response, 1)
        return item

    @router.put("/{item_id}")
    async def change(
        tx: Tx, item_id: UUID, body: NewItem, version: IfMatch, response: Response, _: Coordinator
    ) -> Item:
        """Change an item."""
        row = (await tx.execute(select(ITEM).where(ITEM.c.id == item_id).with_for_update())).mappings().one_or_none()
        if row is None:
            raise NotFound("no-item", "There is no such item.")
        if row["version"] != version:
            raise Stale("stale", "Somebody else has changed it.")
        item = Item(id=item_id, name=body.name, stock=body.stock, version=version + 1)
        await tx.execute(update(ITEM).where(ITEM.c.id == item_id).values(item.model_dump()))
        etag(response, version + 1)
        return item


def _reads(router: Router) -> None:
    @router.get("")
    async def listing(db: Read, paging: Paging, _: SignedIn, stock: Count | None = None) -> Page[Item]:
        """The items in the order of their names."""
        query = select(ITEM).order_by(ITEM.c.name, ITEM.c.id).limit(paging.limit + 1)
        if paging.after is not None:
            query = query.where(tuple_(ITEM.c.name, ITEM.c.id) > tuple_(*paging.after))
        if stock is not None:
            query = query.where(ITEM.c.stock == stock)
        rows = (await db.execute(query)).all()
        return paging.page([Item.model_validate(row) for row in rows], lambda item: (item.name, item.id))

    @router.get("/{item_id}")
    async def get_item(db: Read, item_id: UUID, response: Response, _: SignedIn) -> Item:
        """One item."""
        row = (await db.execute(select(ITEM).where(ITEM.c.id == item_id))).one_or_none()
        if row is None:
            raise NotFound("no-item", "There is no such item.")
        etag(response, row.version)
        return Item.model_validate(row)


def keyed_router() -> Router:
    """What partners see."""
    router = Router(prefix="/keyed")

    @router.get("")
    async def keyed(caller: Annotated[Principal, partner_key(find_key, Role.operator)]) -> dict[str, str]:
        """For partners."""
        return {"subject": caller.subject}

    return router


class Gate:
    """Lets a test hold a request at a known place."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def passing(self) -> None:
        """Say that the request is here, and wait."""
        self.reached.set()
        await self.open.wait()


def odd_router(gate: Gate, drain: Drain) -> Router:
    """Routes that misbehave, for tests of the edge."""
    router = Router(prefix="/odd", dependencies=[public()])
    _odd_writes(router, gate)
    _faults(router)
    _odd_reads(router, drain)
    return router


def _odd_writes(router: Router, gate: Gate) -> None:
    @router.post("/held", status_code=201)
    async def held(tx: Tx) -> dict[str, bool]:
        await tx.execute(insert(ITEM).values(id=clock.new_id(), name="held", stock=0, version=1))
        await gate.passing()
        return {"ok": True}

    @router.post("/sql")
    async def sql(tx: Tx, statement: str) -> dict[str, bool]:
        await tx.execute(text(statement))
        return {"ok": True}

    @router.post("/refused")
    async def refused(tx: Tx) -> Response:
        await tx.execute(insert(ITEM).values(id=clock.new_id(), name="refused", stock=0, version=1))
        return Response(b"no", 418)


def _faults(router: Router) -> None:
    @router.get("/http/{status}")
    async def http(status: int) -> None:
        raise HTTPException(status, "a secret")

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    @router.get("/missing-socket")
    async def missing_socket() -> None:
        raise FileNotFoundError(2, "No such file or directory")

    @router.get("/missing-file")
    async def missing_file() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/etc/kei")


def _odd_reads(router: Router, drain: Drain) -> None:
    @router.get("/trace")
    async def trace() -> dict[str, str | None]:
        return {"traceparent": telemetry.traceparent()}

    @router.get("/stream")
    @long_lived
    async def stream(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun\n"
            await drain.wait()
            yield b"done\n"

        assert request.scope["kei.route"] == "/odd/stream"
        return StreamingResponse(parts(), media_type="text/plain")


def ops() -> Ops:
    """One check of each kind, one collector, a drain of its own."""

    async def fine() -> None:
        return None

    async def queue() -> list[GaugeMetricFamily]:
        return [GaugeMetricFamily("kei_outbox_oldest_unsent_age_seconds", "Age of the oldest unsent event", 0.5)]

    return Ops(alive={"relay": fine}, ready={"consumer": fine}, collectors=[queue], drain=Drain())
