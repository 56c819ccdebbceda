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

Kind = Literal["away", "schema", "relay", "outbox", "inbox", "dead", "skipped", "ahead"]


class Finding(NamedTuple):
    """Something that needs somebody: what it is, and what to do about it, both in sentences."""

    service: str
    kind: Kind
    said: str
    remedy: str


def producer_of(topic: str) -> str | None:
    """The service that publishes on a topic. The public mirror has none: its events keep the ids they had."""
    return next((entry.service for entry in registry().values() if entry.topic == topic), None)


def diagnose(rows: Sequence[ServiceReport]) -> list[Finding]:
    """What needs somebody, service by service in the order they came in."""
    told = {row.service: row.told for row in rows if row.told is not None}
    return [finding for row in rows for finding in _of(row, told)]


def _of(row: ServiceReport, all_told: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    name, told = row.service, row.told
    if told is None:
        remedy = "See whether it runs, and what its log says last."
        if not row.admitted:
            remedy = "Its KEI_ISSUER, KEI_AUDIENCE and KEI_JWKS_URL have to be those of the other services."
        yield Finding(name, "away", f"{name} {row.trouble}.", remedy)
        return
    yield from _schema(name, told)
    yield from _sending(name, told)
    for topic in told.inbox:
        yield from _receiving(name, topic)
    if told.dead:
        yield Finding(name, "dead", f"{name}: {counted(told.dead, 'dead letter')}.", _DEAD.format(name=name))
    yield from _ahead(row, all_told)


_DEAD = "Look: kei inbox dead {name}. Then: kei inbox retry {name}."


def _schema(name: str, told: ServiceStatus) -> Iterator[Finding]:
    schema = told.revision
    if schema is None or schema.standing == "current":
        return
    if schema.found is None:
        yield Finding(name, "schema", f"{name}: its database has no schema.", f"Run: kei migrate {name}.")
    elif schema.standing == "behind":
        said = f"{name}: its database is at {schema.found}, behind {schema.newest}, which this version needs."
        yield Finding(name, "schema", said, f"Run: kei migrate {name}.")
    else:
        said = f"{name}: its database is at {schema.found}, ahead of {schema.newest}, the newest that it knows."
        yield Finding(name, "schema", said, f"Run the version of {name} that the database was migrated for.")


def _sending(name: str, told: ServiceStatus) -> Iterator[Finding]:
    out = told.outbox
    if not out.unsent:
        return
    waits = f"{_waiting(out.unsent)} to be sent"
    if out.beat_age_seconds > MAX_HEARTBEAT_AGE_SECONDS:
        leader = f"its relay ({out.holder})" if out.holder else "its relay"
        said = f"{name}: {waits}, and {leader} has shown no progress for {age(out.beat_age_seconds)}."
        yield Finding(name, "relay", said, f"See whether a process of {name} runs that moves events (KEI_ROLE).")
    elif out.age_seconds > MAX_UNSENT_SECONDS:
        said = f"{name}: {waits}, the oldest for {age(out.age_seconds)}."
        yield Finding(name, "outbox", said, f"See whether Kafka is there; the log of {name} says why nothing is taken.")


def _receiving(name: str, topic: InboxStatus) -> Iterator[Finding]:
    producer = producer_of(topic.topic) or topic.topic
    if topic.pending and topic.age_seconds > MAX_PENDING_SECONDS:
        waits = f"{_waiting(topic.pending, producer)} to be handled"
        remedy = f"See whether a process of {name} runs that handles events (KEI_ROLE), and what its log says."
        said = f"{name}: {waits}, the oldest for {age(topic.age_seconds)}."
        yield Finding(name, "inbox", said, remedy)
    if topic.skipped:
        records = counted(topic.skipped, "record was", "records were")
        said = f"{name}: {records} deleted from {topic.topic} before they were read."
        remedy = f"Send them again: kei events replay {producer}. The count begins anew when {name} is started again."
        yield Finding(name, "skipped", said, remedy)


def _waiting(number: int, producer: str = "") -> str:
    of = f" of {producer}" if producer else ""
    return counted(number, f"event{of} waits", f"events{of} wait")


def age(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`: as exact as it matters."""
    if seconds < 120:  # noqa: PLR2004  two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004  two hours


def _ahead(row: ServiceReport, all_told: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    """A producer that lacks what others have handled, unless it has only forgotten it: ids are in order of time."""
    lost: dict[str, MissingEvent] = {}
    for one in row.unknown:
        producer = all_told.get(one.producer)
        if producer is not None and not _forgotten(one.event.id, producer):
            lost.setdefault(one.producer, one)
    for name, one in lost.items():
        newest = f"{one.event.id} of {one.event.received_at:%Y-%m-%d %H:%M:%S} UTC"
        said = f"{row.service} has events of {name} that {name} does not have (newest {newest}):"
        remedy = f"Stop {name} before it publishes more. Then restore all from one backup: kei restore FILE --replace."
        yield Finding(row.service, "ahead", f"{said} {name} was restored to an older point.", remedy)


def _forgotten(id: UUID, producer: ServiceStatus) -> bool:
    """Whether retention may have let it go: all that a log has lost by it is older than what it has."""
    oldest = producer.outbox.oldest
    return id < oldest if oldest is not None else producer.outbox.assigned > 0
