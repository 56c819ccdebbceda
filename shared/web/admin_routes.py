"""What an operator asks any service: how far it is, what it published, what is dead and what to do with that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import text

from shared import clock, inbox, outbox
from shared.auth import Operator
from shared.db import Database, ReadSession
from shared.errors import NotFound
from shared.inbox import Consumer
from shared.outbox.log import CONTENT_TYPE, item, page
from shared.transport import Transport
from shared.version import revisions, version
from shared.web import Read, RequestModel, ResponseModel, Router, Slug, Tx

LAST = 2**53 - 1
"""The last position that may be asked for: the last whole number that every reader of JSON knows exactly."""


_HAS_REVISION = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION = text("SELECT version_num FROM alembic_version")


class Revision(ResponseModel):
    """The schema of the database, and the newest one that this version knows; null where there is none."""

    applied: str | None
    latest: str | None
    state: Literal["current", "behind", "ahead"]


class OutboxStatus(ResponseModel):
    """The outbox: positions given, positions the transport has taken, who leads, and the id of the oldest event."""

    assigned: int
    sent: int
    unsent: int
    oldest_unsent_age_seconds: float
    epoch: int
    leader: str
    heartbeat_age_seconds: float
    oldest_event_id: UUID | None


class HandledEvent(ResponseModel):
    """An event that was handled, and when it had arrived."""

    id: UUID
    received_at: datetime


class InboxStatus(ResponseModel):
    """The inbox, by consumer and topic."""

    consumer: str
    topic: str
    pending: int
    done: int | None = Field(description="null if it was not asked for")
    dead: int
    discarded: int | None = Field(description="null if it was not asked for")
    oldest_pending_age_seconds: float
    lag: int | None = Field(description="records on the transport yet to be read; null if this process reads none")
    lost_records: int | None = Field(
        description="records deleted before they were read, since this process began; null if it reads none"
    )
    newest_handled: list[HandledEvent] = Field(
        description="the newest event that was handled, the tenth newest, the hundredth"
    )


class Status(ResponseModel):
    """How far a service is."""

    service: str
    version: str
    revision: Revision
    outbox: OutboxStatus
    inbox: list[InboxStatus]


class DeadLetter(ResponseModel):
    """An event that could not be handled."""

    consumer: str
    event_id: UUID
    topic: str
    type: str
    attempts: int
    reason: str
    received_at: datetime


class DeadLetters(ResponseModel):
    """The oldest dead letters."""

    items: list[DeadLetter]


class DeadLetterAction(RequestModel):
    """What to do with dead letters: all of a consumer, or those named."""

    action: Literal["retry", "discard"]
    consumer: Slug
    event_ids: list[UUID] | None = Field(default=None, max_length=100, description="all dead letters if left out")


class DeadLetterResult(ResponseModel):
    """How many dead letters it concerned."""

    count: int


class Replay(RequestModel):
    """From where to send the log again."""

    after: int = Field(ge=0, le=LAST, description="the position before the first event")


def admin_router(
    name: str, consumer: Consumer | None, database: Database, transport: Transport, *, reads: bool = True
) -> Router:
    """The routes under `/ops` of the service `name`.

    Args:
        name: the service.
        consumer: what it does with others' events.
        database: where its outbox is.
        transport: what its events go over.
        reads: whether this process reads from the transport.
    """
    router = Router(prefix="/ops", tags=["operations"])
    _telling(router, name, consumer, transport if reads else None)
    _sending(router, database, transport)
    _handling(router, name, consumer)
    return router


def _telling(router: Router, name: str, consumer: Consumer | None, transport: Transport | None) -> None:
    @router.get("/status")
    async def status(
        caller: Operator,
        db: Read,
        include_done: Annotated[  # noqa: FBT002  a switch of the address
            bool, Query(description="whether to count what is done with, for which the whole inbox is read")
        ] = True,
    ) -> Status:
        """How far the service is with sending and handling events."""
        log = await outbox.stats(db)
        arrived = [] if consumer is None else await _received(db, consumer, transport, include_done=include_done)
        return Status(
            service=name,
            version=version(),
            revision=await _revision(db, revisions(name)),
            outbox=OutboxStatus(
                assigned=log.assigned,
                sent=log.sent,
                unsent=log.unsent,
                oldest_unsent_age_seconds=log.oldest_unsent_age,
                epoch=log.epoch,
                leader=log.holder,
                heartbeat_age_seconds=log.heartbeat_age,
                oldest_event_id=await outbox.oldest(db),
            ),
            inbox=arrived,
        )


def _sending(router: Router, database: Database, transport: Transport) -> None:
    served: dict[str, Any] = {"response_class": Response, "responses": {200: {"content": {CONTENT_TYPE: {}}}}}

    @router.get("/events", **served)
    async def events(
        caller: Operator,
        db: Read,
        after: Annotated[int, Query(ge=0, le=LAST)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """The service's own event log, from a position on, private events included."""
        return Response(page(await outbox.read(db, after=after, limit=limit), after), media_type=CONTENT_TYPE)

    @router.get("/events/{id}", **served)
    async def event(caller: Operator, db: Read, id: UUID) -> Response:
        """One event of the service's own log, with its position."""
        found = await outbox.find(db, id)
        if found is None:
            raise NotFound("no-such-event", "There is no such event in this log.")
        return Response(item(found), media_type=CONTENT_TYPE)

    @router.post("/replays", status_code=202)
    async def replay(caller: Operator, body: Replay) -> DeadLetterResult:
        """Send the log again from a position on. Consumers that know an event ignore it."""
        return DeadLetterResult(count=await outbox.replay(database, transport, after=body.after))


def _handling(router: Router, name: str, consumer: Consumer | None) -> None:
    @router.get("/dead-letters")
    async def dead_letters(caller: Operator, db: Read) -> DeadLetters:
        """The oldest hundred dead letters."""
        found = [] if consumer is None else await inbox.dead_letters(db, consumer.name)
        return DeadLetters(items=[DeadLetter.model_validate(one) for one in found])

    @router.post("/dead-letters")
    async def handle(caller: Operator, tx: Tx, body: DeadLetterAction) -> DeadLetterResult:
        """Have dead letters handled again, or give them up for good."""
        if consumer is None or body.consumer != consumer.name:
            raise NotFound("no-such-consumer", f"{name} has no consumer {body.consumer!r}.", field="consumer")
        act = inbox.retry if body.action == "retry" else inbox.discard
        return DeadLetterResult(count=await act(tx, body.consumer, body.event_ids))


async def _revision(db: ReadSession, known: Sequence[str]) -> Revision:
    """How the database's schema stands to those that this code knows, which are given newest first."""
    applied = await db.scalar(_REVISION) if await db.scalar(_HAS_REVISION) else None
    latest = known[0] if known else None
    if applied == latest:
        return Revision(applied=applied, latest=latest, state="current")
    return Revision(applied=applied, latest=latest, state="behind" if applied is None or applied in known else "ahead")


async def _received(
    db: ReadSession, consumer: Consumer, transport: Transport | None, *, include_done: bool
) -> list[InboxStatus]:
    """The inbox's figures by topic; without a transport nothing can be said about what is on it."""
    waiting = {one.topic: one for one in await inbox.pending_stats(db, consumer)}
    over = {one.topic: one for one in await inbox.done_stats(db, consumer)} if include_done else {}
    newest = await inbox.newest_handled(db, consumer, clock.now())
    received = []
    for topic in sorted(waiting.keys() | over.keys()):
        still = waiting.get(topic, inbox.PendingStats(topic, 0, 0, 0.0))
        done = over.get(topic, inbox.DoneStats(topic, 0, 0))
        received.append(
            InboxStatus(
                consumer=consumer.name,
                topic=topic,
                pending=still.pending,
                done=done.done if include_done else None,
                dead=still.dead,
                discarded=done.discarded if include_done else None,
                oldest_pending_age_seconds=still.oldest_age,
                lag=None if transport is None else transport.lag().get(topic, 0),
                lost_records=None if transport is None else transport.skipped().get(topic, 0),
                newest_handled=[
                    HandledEvent(id=one.event_id, received_at=one.received_at) for one in newest if one.topic == topic
                ],
            )
        )
    return received
