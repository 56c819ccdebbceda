"""The status of the services as text of the operations page."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.console.view import formatting
from shared import wording
from shared.status import Finding, ServiceReport, age, producer_of

FINDING_TAGS = {
    "unreachable": ("Not reached", "stop"),
    "schema": ("Database", "stop"),
    "relay": ("Sending", "stop"),
    "outbox": ("Sending", "ask"),
    "inbox": ("Handling", "ask"),
    "dead": ("Dead letters", "ask"),
    "lost": ("Lost records", "stop"),
    "ahead": ("Restored", "stop"),
}
"""Label and tone of each kind of finding."""


class ServiceRow(NamedTuple):
    """A service in the table; unknown values are a dash. `relay` is the leader, `heartbeat` its epoch and age."""

    name: str
    state: str
    tone: str
    version: str
    schema: str
    unsent: str
    relay: str
    heartbeat: str
    dead: str


class TopicRow(NamedTuple):
    """What a service has received of another."""

    reader: str
    producer: str
    pending: str
    lag: str
    lost: str
    newest: datetime | None


def verdict(findings: Sequence[Finding]) -> str:
    """The headline of the page."""
    if not findings:
        return "All is well"
    number = wording.counted_in_words(len(findings), "problem needs", "problems need")
    return f"{formatting.capitalized(number)} attention"


def summary(reports: Sequence[ServiceReport]) -> str:
    """The first paragraph of the page."""
    statuses = [report.status for report in reports if report.status]
    waiting = sum(status.outbox.unsent + sum(topic.pending for topic in status.inbox) for status in statuses)
    backlog = "No event waits"
    if waiting:
        events = wording.counted_in_words(waiting, "event waits", "events wait")
        backlog = f"{formatting.capitalized(events)} to be sent or handled"
    dead = sum(status.dead for status in statuses)
    letters = wording.counted_in_words(dead, "dead letter")
    verb = "is" if dead == 1 else "are"
    return f"{len(statuses)} of {len(reports)} services respond. {backlog}, and there {verb} {letters}."


def service_row(report: ServiceReport, findings: Sequence[Finding]) -> ServiceRow:
    if report.status is None:
        return ServiceRow(report.service, "Not reached", "stop", "–", "", "–", "–", "", "–")
    needs_attention = any(finding.service == report.service for finding in findings)
    schema, outbox = report.status.revision, report.status.outbox
    return ServiceRow(
        name=report.service,
        state="Needs attention" if needs_attention else "OK",
        tone="ask" if needs_attention else "good",
        version=report.status.version or "–",
        schema="" if schema is None else f"{schema.applied or 'none'}, {schema.state}",
        unsent=_backlog(outbox.unsent, outbox.oldest_unsent_age_seconds),
        relay=outbox.leader or "None",
        heartbeat=f"epoch {outbox.epoch}, heartbeat {age(outbox.heartbeat_age_seconds)} ago",
        dead=str(report.status.dead) if report.status.inbox else "–",
    )


def topic_rows(report: ServiceReport) -> Iterator[TopicRow]:
    for topic in report.status.inbox if report.status else ():
        yield TopicRow(
            reader=report.service,
            producer=producer_of(topic.topic) or topic.topic,
            pending=_backlog(topic.pending, topic.oldest_pending_age_seconds),
            lag="–" if topic.lag is None else str(topic.lag),
            lost="–" if topic.lost_records is None else str(topic.lost_records),
            newest=topic.newest_handled[0].received_at if topic.newest_handled else None,
        )


def _backlog(number: int, age_seconds: float) -> str:
    return f"{number}, for {age(age_seconds)}" if number else "0"
