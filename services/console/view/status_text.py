"""How the services are, in the words of the page for operators."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.console.view import labels
from shared.status import Finding, ServiceReport, ServiceStatus, age, producer_of

KINDS = {
    "away": ("Not reached", "stop"),
    "schema": ("Database", "stop"),
    "relay": ("Sending", "stop"),
    "outbox": ("Sending", "ask"),
    "inbox": ("Handling", "ask"),
    "dead": ("Dead letters", "ask"),
    "skipped": ("Skipped", "stop"),
    "ahead": ("Restored", "stop"),
}
"""What a finding is about, and its tone."""


class ServiceLine(NamedTuple):
    """A service in the table; what is not known is a dash. `relay` is who leads, `beat` how long ago it showed that."""

    name: str
    state: str
    tone: str
    version: str
    schema: str
    unsent: str
    relay: str
    beat: str
    dead: str


class TopicLine(NamedTuple):
    """What a service reads of another."""

    reader: str
    producer: str
    pending: str
    lag: str
    skipped: str
    newest: datetime | None


def verdict(found: Sequence[Finding]) -> str:
    """The first line of the page."""
    if not found:
        return "All is well"
    return labels.opening(labels.counted(len(found), "thing needs", "things need")) + " somebody"


def summary(rows: Sequence[ServiceReport]) -> str:
    """What there is at a glance."""
    told = [row.told for row in rows if row.told]
    unsent = sum(one.outbox.unsent for one in told)
    pending = sum(topic.pending for one in told for topic in one.inbox)
    waits = "Nothing waits"
    if unsent or pending:
        waits = (
            f"{labels.opening(labels.counted(unsent + pending, 'event waits', 'events wait'))} to be sent or handled"
        )
    letters = labels.counted(sum(one.dead for one in told), "dead letter")
    return f"{len(told)} of {len(rows)} services answer. {waits}, and there {_are(told)} {letters}."


def _are(told: Sequence[ServiceStatus]) -> str:
    return "is" if sum(one.dead for one in told) == 1 else "are"


def service(row: ServiceReport, found: Sequence[Finding]) -> ServiceLine:
    """The line of a service."""
    if row.told is None:
        return ServiceLine(row.service, "Not reached", "stop", "–", "", "–", "–", "", "–")
    needs = any(one.service == row.service for one in found)
    schema, out = row.told.revision, row.told.outbox
    return ServiceLine(
        name=row.service,
        state="Needs somebody" if needs else "Well",
        tone="ask" if needs else "good",
        version=row.told.version or "–",
        schema="" if schema is None else f"{schema.found or 'none'}, {schema.standing}",
        unsent=_waiting(out.unsent, out.age_seconds),
        relay=out.holder or "Nobody",
        beat=f"epoch {out.epoch}, heard {age(out.beat_age_seconds)} ago",
        dead=str(row.told.dead) if row.told.inbox else "–",
    )


def topics(row: ServiceReport) -> Iterator[TopicLine]:
    """The lines of what a service reads."""
    for topic in row.told.inbox if row.told else ():
        yield TopicLine(
            reader=row.service,
            producer=producer_of(topic.topic) or topic.topic,
            pending=_waiting(topic.pending, topic.age_seconds),
            lag="–" if topic.lag is None else str(topic.lag),
            skipped="–" if topic.skipped is None else str(topic.skipped),
            newest=topic.newest[0].received_at if topic.newest else None,
        )


def _waiting(number: int, seconds: float) -> str:
    return f"{number}, for {age(seconds)}" if number else "0"
