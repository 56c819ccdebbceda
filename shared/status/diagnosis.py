"""Derives problems from service reports: reports in, findings out, no I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from shared.events.registry import registry
from shared.status.models import MissingEvent, ServiceReport, ServiceStatus
from shared.status.responses import InboxStatus
from shared.wording import counted

MAX_UNSENT_SECONDS = 30.0
"""Maximum seconds that a committed event may wait to be sent."""
MAX_HEARTBEAT_AGE_SECONDS = 30.0
"""Maximum age of the relay's heartbeat in seconds while events are unsent."""
MAX_PENDING_SECONDS = 60.0
"""Maximum seconds that an event may wait to be handled."""

Kind = Literal["unreachable", "schema", "relay", "outbox", "inbox", "dead", "lost", "ahead"]


class Finding(NamedTuple):
    """A problem and its remedy, both in sentences."""

    service: str
    kind: Kind
    message: str
    remedy: str


def producer_of(topic: str) -> str | None:
    """The service that publishes on a topic; None for the public mirror, whose events belong to other services."""
    return next((entry.service for entry in registry().values() if entry.topic == topic), None)


def diagnose(reports: Sequence[ServiceReport]) -> list[Finding]:
    """The findings, in the order of the reports."""
    status = {report.service: report.status for report in reports if report.status is not None}
    return [finding for report in reports for finding in _findings_of(report, status)]


def _findings_of(report: ServiceReport, statuses: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    name, status = report.service, report.status
    if status is None:
        remedy = "See whether it runs, and what its log says last."
        if not report.admitted:
            remedy = "Its KEI_ISSUER, KEI_AUDIENCE and KEI_JWKS_URL have to be those of the other services."
        yield Finding(name, "unreachable", f"{name} {report.reason}.", remedy)
        return
    yield from _schema_findings(name, status)
    yield from _outbox_findings(name, status)
    for topic in status.inbox:
        yield from _inbox_findings(name, topic)
    if status.dead:
        yield Finding(name, "dead", f"{name}: {counted(status.dead, 'dead letter')}.", _DEAD.format(name=name))
    yield from _missing_event_findings(report, statuses)


_DEAD = "Look: kei dead-letters list {name}. Then: kei dead-letters retry {name}."


def _schema_findings(name: str, status: ServiceStatus) -> Iterator[Finding]:
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


def _outbox_findings(name: str, status: ServiceStatus) -> Iterator[Finding]:
    outbox = status.outbox
    if not outbox.unsent:
        return
    backlog = f"{_backlog(outbox.unsent)} to be sent"
    if outbox.heartbeat_age_seconds > MAX_HEARTBEAT_AGE_SECONDS:
        leader = f"its relay ({outbox.leader})" if outbox.leader else "its relay"
        message = f"{name}: {backlog}, and {leader} has shown no progress for {age(outbox.heartbeat_age_seconds)}."
        yield Finding(name, "relay", message, f"See whether a process of {name} runs that moves events (KEI_ROLE).")
    elif outbox.oldest_unsent_age_seconds > MAX_UNSENT_SECONDS:
        message = f"{name}: {backlog}, the oldest for {age(outbox.oldest_unsent_age_seconds)}."
        yield Finding(
            name, "outbox", message, f"See whether Kafka is there; the log of {name} says why nothing is taken."
        )


def _inbox_findings(name: str, topic: InboxStatus) -> Iterator[Finding]:
    producer = producer_of(topic.topic) or topic.topic
    if topic.pending and topic.oldest_pending_age_seconds > MAX_PENDING_SECONDS:
        backlog = f"{_backlog(topic.pending, producer)} to be handled"
        remedy = f"See whether a process of {name} runs that handles events (KEI_ROLE), and what its log says."
        message = f"{name}: {backlog}, the oldest for {age(topic.oldest_pending_age_seconds)}."
        yield Finding(name, "inbox", message, remedy)
    if topic.lost_records:
        records = counted(topic.lost_records, "record was", "records were")
        message = f"{name}: {records} deleted from {topic.topic} before they were read."
        remedy = f"Send them again: kei events replay {producer}. The count is reset when {name} restarts."
        yield Finding(name, "lost", message, remedy)


def _backlog(number: int, producer: str = "") -> str:
    suffix = f" of {producer}" if producer else ""
    return counted(number, f"event{suffix} waits", f"events{suffix} wait")


def age(seconds: float) -> str:
    """`45 s`, `12 min` or `3 h`."""
    if seconds < 120:  # noqa: PLR2004  two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004  two hours


def _missing_event_findings(report: ServiceReport, statuses: Mapping[str, ServiceStatus]) -> Iterator[Finding]:
    """Producers without events that others have handled, unless their retention has deleted these."""
    missing: dict[str, MissingEvent] = {}
    for missing_event in report.missing_events:
        producer = statuses.get(missing_event.producer)
        if producer is not None and not _is_expired(missing_event.event.id, producer):
            missing.setdefault(missing_event.producer, missing_event)
    for name, missing_event in missing.items():
        newest = f"{missing_event.event.id} of {missing_event.event.received_at:%Y-%m-%d %H:%M:%S} UTC"
        message = f"{report.service} has events of {name} that {name} does not have (newest {newest}):"
        remedy = f"Stop {name} before it publishes more. Then restore all from one backup: kei restore FILE --replace."
        yield Finding(report.service, "ahead", f"{message} {name} was restored to an older point.", remedy)


def _is_expired(id: UUID, producer: ServiceStatus) -> bool:
    """Whether retention may have deleted the event: it deletes the oldest events, and ids are ordered by time."""
    oldest = producer.outbox.oldest_event_id
    return id < oldest if oldest is not None else producer.outbox.assigned > 0
