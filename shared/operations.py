"""What an operator asks any service: how far it is, what it published, what is dead and what to do with that."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from shared import inbox, outbox
from shared.auth import Operator
from shared.db import Database, ReadSession
from shared.errors import NotFound
from shared.inbox import Consumer
from shared.outbox.log import CONTENT_TYPE, page
from shared.web import Body, Read, Router, Slug, Tx, View
from shared.wire import Wire

LAST = 2**53 - 1
"""The last position that may be asked for: the last whole number that every reader of JSON knows exactly."""


class Sent(View):
    """The outbox: positions given, positions the wire has taken, and who leads."""

    assigned: int
    sent: int
    unsent: int
    age_seconds: float
    epoch: int
    holder: str
    beat_age_seconds: float


class Received(View):
    """The inbox, by consumer and topic."""

    consumer: str
    topic: str
    pending: int
    done: int
    dead: int
    discarded: int
    age_seconds: float


class Status(View):
    """How far a service is."""

    service: str
    outbox: Sent
    inbox: list[Received]


class DeadLetter(View):
    """An event that could not be handled."""

    consumer: str
    event_id: UUID
    topic: str
    type: str
    attempts: int
    reason: str
    received_at: datetime


class DeadLetters(View):
    """The oldest dead letters."""

    items: list[DeadLetter]


class Handling(Body):
    """What to do with dead letters: all of a consumer, or those named."""

    action: Literal["retry", "discard"]
    consumer: Slug
    event_ids: list[UUID] | None = Field(default=None, max_length=100, description="all dead letters if left out")


class Handled(View):
    """How many dead letters it concerned."""

    count: int


class Replay(Body):
    """From where to send the log again."""

    after: int = Field(ge=0, le=LAST, description="the position before the first event")


def operations_router(name: str, consumer: Consumer | None, database: Database, wire: Wire) -> Router:
    """The routes under `/ops` of the service `name`."""
    router = Router(prefix="/ops", tags=["operations"])
    _sending(router, name, consumer, database, wire)
    _handling(router, name, consumer)
    return router


def _sending(router: Router, name: str, consumer: Consumer | None, database: Database, wire: Wire) -> None:
    @router.get("/status")
    async def status(who: Operator, db: Read) -> Status:
        """How far the service is with sending and handling events."""
        log = await outbox.figures(db)
        arrived = [] if consumer is None else await _received(db, consumer)
        return Status(
            service=name,
            outbox=Sent(
                assigned=log.assigned,
                sent=log.sent,
                unsent=log.unsent,
                age_seconds=log.age,
                epoch=log.epoch,
                holder=log.holder,
                beat_age_seconds=log.beat_age,
            ),
            inbox=arrived,
        )

    @router.get("/events", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
    async def events(
        who: Operator,
        db: Read,
        after: Annotated[int, Query(ge=0, le=LAST)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """The service's own event log, from a position on, private events included."""
        return Response(page(await outbox.read(db, after=after, limit=limit), after), media_type=CONTENT_TYPE)

    @router.post("/replays", status_code=202)
    async def replay(who: Operator, body: Replay) -> Handled:
        """Send the log again from a position on. Consumers that know an event ignore it."""
        return Handled(count=await outbox.replay(database, wire, after=body.after))


def _handling(router: Router, name: str, consumer: Consumer | None) -> None:
    @router.get("/dead-letters")
    async def dead_letters(who: Operator, db: Read) -> DeadLetters:
        """The oldest hundred dead letters."""
        found = [] if consumer is None else await inbox.dead_letters(db, consumer.name)
        return DeadLetters(items=[DeadLetter.model_validate(one) for one in found])

    @router.post("/dead-letters")
    async def handle(who: Operator, tx: Tx, body: Handling) -> Handled:
        """Have dead letters handled again, or give them up for good."""
        if consumer is None or body.consumer != consumer.name:
            raise NotFound("no-such-consumer", f"{name} has no consumer {body.consumer!r}.", field="consumer")
        act = inbox.retry if body.action == "retry" else inbox.discard
        return Handled(count=await act(tx, body.consumer, body.event_ids))


async def _received(db: ReadSession, consumer: Consumer) -> list[Received]:
    """The inbox's figures by topic."""
    waiting = {one.topic: one for one in await inbox.waiting(db, consumer)}
    finished = {one.topic: one for one in await inbox.finished(db, consumer)}
    return [
        Received(
            consumer=consumer.name,
            topic=topic,
            pending=waiting[topic].pending if topic in waiting else 0,
            done=finished[topic].done if topic in finished else 0,
            dead=waiting[topic].dead if topic in waiting else 0,
            discarded=finished[topic].discarded if topic in finished else 0,
            age_seconds=waiting[topic].age if topic in waiting else 0.0,
        )
        for topic in sorted(waiting.keys() | finished.keys())
    ]
