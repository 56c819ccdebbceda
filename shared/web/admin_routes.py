"""Routes for operators in every service: status, event log, replays and dead letters."""

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

MAX_POSITION = 2**53 - 1
"""The largest position in a request: the largest integer that every JSON parser reads exactly."""


_HAS_REVISION = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION = text("SELECT version_num FROM alembic_version")


class Revision(ResponseModel):
    """The applied schema revision of the database, and the latest one that this version knows."""

    applied: str | None
    latest: str | None
    state: Literal["current", "behind", "ahead"]


class OutboxStatus(ResponseModel):
    """The outbox and its relay: `assigned` and `sent` are positions, `unsent` is a number of events."""

    assigned: int
    sent: int
    unsent: int
    oldest_unsent_age_seconds: float
    epoch: int
    leader: str
    heartbeat_age_seconds: float
    oldest_event_id: UUID | None


class HandledEvent(ResponseModel):
    """An event that was handled, and the time of its receipt."""

    id: UUID
    received_at: datetime


class InboxStatus(ResponseModel):
    """The inbox of one consumer and topic."""

    consumer: str
    topic: str
    pending: int
    done: int | None = Field(description="null if not requested")
    dead: int
    discarded: int | None = Field(description="null if not requested")
    oldest_pending_age_seconds: float
    lag: int | None = Field(description="records that are not read yet; null if this process does not read")
    lost_records: int | None = Field(
        description="records deleted before this process read them, since its start; null if it does not read"
    )
    newest_handled: list[HandledEvent] = Field(
        description="the newest, the tenth newest and the hundredth newest handled event"
    )


class Status(ResponseModel):
    """Progress of a service with its events."""

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
    """An action on all dead letters of a consumer, or on some."""

    action: Literal["retry", "discard"]
    consumer: Slug
    event_ids: list[UUID] | None = Field(default=None, max_length=100, description="all dead letters if left out")


class AffectedEvents(ResponseModel):
    """Number of affected events."""

    count: int


class Replay(RequestModel):
    """The start of a replay."""

    after: int = Field(ge=0, le=MAX_POSITION, description="the position before the first event")


def admin_router(
    name: str, consumer: Consumer | None, database: Database, transport: Transport, *, reads: bool = True
) -> Router:
    """The routes under `/ops` of the service `name`.

    Args:
        name: of the service.
        consumer: its event handlers.
        database: of its outbox.
        transport: sends its events.
        reads: whether this process reads from the transport.
    """
    router = Router(prefix="/ops", tags=["operations"])
    _add_status_route(router, name, consumer, transport if reads else None)
    _add_event_routes(router, database, transport)
    _add_dead_letter_routes(router, name, consumer)
    return router


def _add_status_route(router: Router, name: str, consumer: Consumer | None, transport: Transport | None) -> None:
    @router.get("/status")
    async def status(
        caller: Operator,
        db: Read,
        include_done: Annotated[  # noqa: FBT002  a query parameter
            bool, Query(description="whether to count finished events, which reads the whole inbox")
        ] = True,
    ) -> Status:
        """Status of the outbox and the inbox."""
        log = await outbox.stats(db)
        inbox_status = (
            [] if consumer is None else await _inbox_status(db, consumer, transport, include_done=include_done)
        )
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
            inbox=inbox_status,
        )


def _add_event_routes(router: Router, database: Database, transport: Transport) -> None:
    options: dict[str, Any] = {"response_class": Response, "responses": {200: {"content": {CONTENT_TYPE: {}}}}}

    @router.get("/events", **options)
    async def events(
        caller: Operator,
        db: Read,
        after: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """The events of this service above a position, including private ones."""
        return Response(page(await outbox.read(db, after=after, limit=limit), after), media_type=CONTENT_TYPE)

    @router.get("/events/{id}", **options)
    async def event(caller: Operator, db: Read, id: UUID) -> Response:
        """One event of this service, with its position."""
        result = await outbox.find(db, id)
        if result is None:
            raise NotFound("no-such-event", "There is no such event in this log.")
        return Response(item(result), media_type=CONTENT_TYPE)

    @router.post("/replays", status_code=202)
    async def replay(caller: Operator, body: Replay) -> AffectedEvents:
        """Send the events above a position again. Consumers ignore known events."""
        return AffectedEvents(count=await outbox.replay(database, transport, after=body.after))


def _add_dead_letter_routes(router: Router, name: str, consumer: Consumer | None) -> None:
    @router.get("/dead-letters")
    async def dead_letters(caller: Operator, db: Read) -> DeadLetters:
        """The 100 oldest dead letters."""
        result = [] if consumer is None else await inbox.dead_letters(db, consumer.name)
        return DeadLetters(items=[DeadLetter.model_validate(entry) for entry in result])

    @router.post("/dead-letters")
    async def handle(caller: Operator, tx: Tx, body: DeadLetterAction) -> AffectedEvents:
        """Retry or discard dead letters."""
        if consumer is None or body.consumer != consumer.name:
            raise NotFound("no-such-consumer", f"{name} has no consumer {body.consumer!r}.", field="consumer")
        apply = inbox.retry if body.action == "retry" else inbox.discard
        return AffectedEvents(count=await apply(tx, body.consumer, body.event_ids))


async def _revision(db: ReadSession, known: Sequence[str]) -> Revision:
    """The state of the schema, compared with the known revisions (newest first)."""
    applied = await db.scalar(_REVISION) if await db.scalar(_HAS_REVISION) else None
    latest = known[0] if known else None
    if applied == latest:
        return Revision(applied=applied, latest=latest, state="current")
    return Revision(applied=applied, latest=latest, state="behind" if applied is None or applied in known else "ahead")


async def _inbox_status(
    db: ReadSession, consumer: Consumer, transport: Transport | None, *, include_done: bool
) -> list[InboxStatus]:
    """Statistics of the inbox by topic; `lag` and `lost_records` are None without a transport."""
    pending_by_topic = {entry.topic: entry for entry in await inbox.pending_stats(db, consumer)}
    done_by_topic = {entry.topic: entry for entry in await inbox.done_stats(db, consumer)} if include_done else {}
    newest = await inbox.newest_handled(db, consumer, clock.now())
    statuses = []
    for topic in sorted(pending_by_topic.keys() | done_by_topic.keys()):
        pending = pending_by_topic.get(topic, inbox.PendingStats(topic, 0, 0, 0.0))
        done = done_by_topic.get(topic, inbox.DoneStats(topic, 0, 0))
        statuses.append(
            InboxStatus(
                consumer=consumer.name,
                topic=topic,
                pending=pending.pending,
                done=done.done if include_done else None,
                dead=pending.dead,
                discarded=done.discarded if include_done else None,
                oldest_pending_age_seconds=pending.oldest_age,
                lag=None if transport is None else transport.lag().get(topic, 0),
                lost_records=None if transport is None else transport.lost().get(topic, 0),
                newest_handled=[
                    HandledEvent(id=entry.event_id, received_at=entry.received_at)
                    for entry in newest
                    if entry.topic == topic
                ],
            )
        )
    return statuses
