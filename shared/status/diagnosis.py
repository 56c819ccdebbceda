"""What needs somebody, in sentences: rows in, findings out, and nothing is asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from shared.events.registry import registry
from shared.status.models import InboxStatus, MissingEvent, ServiceReport, ServiceStatus
from shared.wording import counted

MAX_UNSENT_SECONDS = 30.0
"""Seconds for which a committed event may wait for the transport."""
MAX_HEARTBEAT_AGE_SECONDS = 30.0
"""Seconds for which the relay may show no progress while there is something to send."""
MAX_PENDING_SECONDS = 60.0
"""Seconds for which an event may wait to be handled."""

Kind = Literal["unreachable", "schema", "relay", "outbox", "inbox", "dead", "lost", "ahead"]


class Finding(NamedTuple):
    """Something that needs somebody: what it is, and what to do about it, both in sentences."""

    service: str
    kind: Kind
    message: str
    remedy: str


def producer_of(topic: str) -> str | None:
    """The service that publishes on a topic. The public mirror has none: its events keep the ids they had."""
    return next((entry.service for entry in registry().values() if entry.topic == topic), None)


def diagnose(rows: Sequence[ServiceReport]) -> list[Finding]:
    """What needs somebody, service by service in the order they came in."""
    status = {row.service: row.status for row in rows if row.status is not None}
    return [finding for row in rows for finding in _of(row, status)]


def _of(row: ServiceReport, statuses: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    name, status = row.service, row.status
    if status is None:
        remedy = "See whether it runs, and what its log says last."
        if not row.admitted:
            remedy = "Its KEI_ISSUER, KEI_AUDIENCE and KEI_JWKS_URL have to be those of the other services."
        yield Finding(name, "unreachable", f"{name} {row.reason}.", remedy)
        return
    yield from _schema(name, status)
    yield from _sending(name, status)
    for topic in status.inbox:
        yield from _receiving(name, topic)
    if status.dead:
        yield Finding(name, "dead", f"{name}: {counted(status.dead, 'dead letter')}.", _DEAD.format(name=name))
    yield from _ahead(row, statuses)


_DEAD = "Look: kei dead-letters list {name}. Then: kei dead-letters retry {name}."


def _schema(name: str, status: ServiceStatus) -> Iterator[Finding]:
    schema = status.revision
    if schema is None or schema.state == "current":
        return
    if schema.applied is None:
        yield Finding(name, "schema", f"{name}: its database has no schema.", f"Run: kei migrate {name}.")
    elif schema.state == "behind":
        message = f"{name}: its database is at {schema.applied}, behind {schema.latest}, which this version needs."
        yield Finding(name, "schema", message, f"Run: kei migrate {name}.")
    else:
        message = f"{name}: its database is at {schema.applied}, ahead of {schema.latest}, the newest that it knows."
        yield Finding(name, "schema", message, f"Run the version of {name} that the database was migrated for.")


def _sending(name: str, status: ServiceStatus) -> Iterator[Finding]:
    out = status.outbox
    if not out.unsent:
        return
    waits = f"{_waiting(out.unsent)} to be sent"
    if out.heartbeat_age_seconds > MAX_HEARTBEAT_AGE_SECONDS:
        leader = f"its relay ({out.leader})" if out.leader else "its relay"
        message = f"{name}: {waits}, and {leader} has shown no progress for {age(out.heartbeat_age_seconds)}."
        yield Finding(name, "relay", message, f"See whether a process of {name} runs that moves events (KEI_ROLE).")
    elif out.oldest_unsent_age_seconds > MAX_UNSENT_SECONDS:
        message = f"{name}: {waits}, the oldest for {age(out.oldest_unsent_age_seconds)}."
        yield Finding(
            name, "outbox", message, f"See whether Kafka is there; the log of {name} says why nothing is taken."
        )


def _receiving(name: str, topic: InboxStatus) -> Iterator[Finding]:
    producer = producer_of(topic.topic) or topic.topic
    if topic.pending and topic.oldest_pending_age_seconds > MAX_PENDING_SECONDS:
        waits = f"{_waiting(topic.pending, producer)} to be handled"
        remedy = f"See whether a process of {name} runs that handles events (KEI_ROLE), and what its log says."
        message = f"{name}: {waits}, the oldest for {age(topic.oldest_pending_age_seconds)}."
        yield Finding(name, "inbox", message, remedy)
    if topic.lost_records:
        records = counted(topic.lost_records, "record was", "records were")
        message = f"{name}: {records} deleted from {topic.topic} before they were read."
        remedy = f"Send them again: kei events replay {producer}. The count begins anew when {name} is started again."
        yield Finding(name, "lost", message, remedy)


def _waiting(number: int, producer: str = "") -> str:
    of = f" of {producer}" if producer else ""
    return counted(number, f"event{of} waits", f"events{of} wait")


def age(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`: as exact as it matters."""
    if seconds < 120:  # noqa: PLR2004  two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004  two hours


def _ahead(row: ServiceReport, statuses: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    """A producer that lacks what others have handled, unless it has only forgotten it: ids are in order of time."""
    lost: dict[str, MissingEvent] = {}
    for one in row.missing_events:
        producer = statuses.get(one.producer)
        if producer is not None and not _forgotten(one.event.id, producer):
            lost.setdefault(one.producer, one)
    for name, one in lost.items():
        newest = f"{one.event.id} of {one.event.received_at:%Y-%m-%d %H:%M:%S} UTC"
        message = f"{row.service} has events of {name} that {name} does not have (newest {newest}):"
        remedy = f"Stop {name} before it publishes more. Then restore all from one backup: kei restore FILE --replace."
        yield Finding(row.service, "ahead", f"{message} {name} was restored to an older point.", remedy)


def _forgotten(id: UUID, producer: ServiceStatus) -> bool:
    """Whether retention may have let it go: all that a log has lost by it is older than what it has."""
    oldest = producer.outbox.oldest_event_id
    return id < oldest if oldest is not None else producer.outbox.assigned > 0
