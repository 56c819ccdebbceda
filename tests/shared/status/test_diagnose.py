"""The findings for each status of the services, as a table."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.status import Finding, MissingEvent, ServiceReport, diagnose
from shared.status.models import ServiceStatus
from shared.status.responses import HandledEvent

WHEN = datetime(2026, 6, 28, 9, 30, tzinfo=UTC)
OLD, MIDDLE, NEW = (UUID(int=number) for number in (1, 2, 3))


def status_of(service: str, **changes: Any) -> ServiceStatus:
    """A service with nothing to find; `out` changes its outbox, `into` its inbox of members' events."""
    out: dict[str, Any] = {
        "assigned": 9,
        "sent": 9,
        "unsent": 0,
        "oldest_unsent_age_seconds": 0,
        "epoch": 1,
        "leader": "here/7",
    }
    out |= {"heartbeat_age_seconds": 1, "oldest_event_id": str(MIDDLE)} | changes.pop("out", {})
    into: dict[str, Any] = {"topic": "kei.members.v1", "pending": 0, "dead": 0, "oldest_pending_age_seconds": 0}
    schema = {"applied": "x_0001", "latest": "x_0001", "state": "current"} | changes.pop("schema", {})
    inbox = [into | changes.pop("into")] if "into" in changes else []
    whole = {"service": service, "version": "0.1.0", "revision": schema, "outbox": out, "inbox": inbox}
    return ServiceStatus.model_validate(whole | changes)


def row(service: str = "matching", **changes: Any) -> ServiceReport:
    return ServiceReport(service, status_of(service, **changes))


def unknown(id: UUID, producer: str = "members") -> Sequence[MissingEvent]:
    return [MissingEvent(producer, HandledEvent(id=id, received_at=WHEN))]


WELL: dict[str, Sequence[ServiceReport]] = {
    "nothing at all": [],
    "nothing waits": [row("members"), row()],
    "the outbox waits for as long as it may": [
        row(out={"unsent": 5, "oldest_unsent_age_seconds": 30, "heartbeat_age_seconds": 30})
    ],
    "the relay rests while there is nothing to send": [row(out={"heartbeat_age_seconds": 9000})],
    "the inbox waits for as long as it may": [row(into={"pending": 5, "oldest_pending_age_seconds": 60})],
    "nothing was lost, or nobody knows": [row(into={"lost_records": 0}), row(into={"lost_records": None, "lag": None})],
    "records wait on the transport": [row(into={"lag": 900})],
    "an older version tells less": [
        ServiceReport("matching", status_of("matching").model_copy(update={"revision": None}))
    ],
    "the producer has forgotten an older event": [row("members"), replace(row(), missing_events=unknown(OLD))],
    "the producer has forgotten all events": [
        row("members", out={"oldest_event_id": None}),
        replace(row(), missing_events=unknown(NEW)),
    ],
    "the producer is away": [replace(row(), missing_events=unknown(NEW))],
}


@pytest.mark.parametrize("name", WELL)
def test_nothing_is_found_where_all_is_well(name: str) -> None:
    assert diagnose(WELL[name]) == []


LOOK = "Look: kei dead-letters list matching. Then: kei dead-letters retry matching."
MIGRATE = "Run: kei migrate matching."
AHEAD = (
    "matching has events of members that members does not have (newest 00000000-0000-0000-0000-000000000003 of"
    " 2026-06-28 09:30:00 UTC): members was restored to an older point."
)
RESTORE = "Stop members before it publishes more. Then restore all from one backup: kei restore FILE --replace."

FINDINGS: dict[str, tuple[Sequence[ServiceReport], Finding]] = {
    "away": (
        [ServiceReport("matching", None, "is not reached: connection refused")],
        Finding(
            "matching",
            "unreachable",
            "matching is not reached: connection refused.",
            "See whether it runs, and what its log says last.",
        ),
    ),
    "one of them refuses the token": (
        [row("members"), ServiceReport("matching", None, "does not admit this token: Sign in first", admitted=False)],
        Finding(
            "matching",
            "unreachable",
            "matching does not admit this token: Sign in first.",
            "Its KEI_ISSUER, KEI_AUDIENCE and KEI_JWKS_URL have to be those of the other services.",
        ),
    ),
    "no schema": (
        [row(schema={"applied": None, "state": "behind"})],
        Finding("matching", "schema", "matching: its database has no schema.", MIGRATE),
    ),
    "schema behind": (
        [row(schema={"latest": "x_0002", "state": "behind"})],
        Finding(
            "matching",
            "schema",
            "matching: its database is at x_0001, behind x_0002, which this version needs.",
            MIGRATE,
        ),
    ),
    "schema ahead": (
        [row(schema={"applied": "x_0002", "state": "ahead"})],
        Finding(
            "matching",
            "schema",
            "matching: its database is at x_0002, ahead of x_0001, the newest that it knows.",
            "Run the version of matching that the database was migrated for.",
        ),
    ),
    "the relay stands still": (
        [row(out={"unsent": 1, "oldest_unsent_age_seconds": 500, "heartbeat_age_seconds": 130})],
        Finding(
            "matching",
            "relay",
            "matching: 1 event waits to be sent, and its relay (here/7) has shown no progress for 2 min.",
            "See whether a process of matching runs that moves events (KEI_ROLE).",
        ),
    ),
    "there never was a relay": (
        [row(out={"unsent": 2, "leader": "", "heartbeat_age_seconds": 31})],
        Finding(
            "matching",
            "relay",
            "matching: 2 events wait to be sent, and its relay has shown no progress for 31 s.",
            "See whether a process of matching runs that moves events (KEI_ROLE).",
        ),
    ),
    "the transport takes nothing": (
        [row(out={"unsent": 2, "oldest_unsent_age_seconds": 31})],
        Finding(
            "matching",
            "outbox",
            "matching: 2 events wait to be sent, the oldest for 31 s.",
            "See whether Kafka is there; the log of matching says why nothing is taken.",
        ),
    ),
    "nothing is handled": (
        [row(into={"pending": 3, "oldest_pending_age_seconds": 8000})],
        Finding(
            "matching",
            "inbox",
            "matching: 3 events of members wait to be handled, the oldest for 2 h.",
            "See whether a process of matching runs that handles events (KEI_ROLE), and what its log says.",
        ),
    ),
    "a dead letter": (
        [row(into={"dead": 1})],
        Finding("matching", "dead", "matching: 1 dead letter.", LOOK),
    ),
    "dead letters": (
        [row(into={"dead": 3})],
        Finding("matching", "dead", "matching: 3 dead letters.", LOOK),
    ),
    "records lost": (
        [row(into={"lost_records": 2})],
        Finding(
            "matching",
            "lost",
            "matching: 2 records were deleted from kei.members.v1 before they were read.",
            "Send them again: kei events replay members. The count is reset when matching restarts.",
        ),
    ),
    "the producer lacks an event": (
        [row("members"), replace(row(), missing_events=[*unknown(NEW), *unknown(MIDDLE)])],
        Finding("matching", "ahead", AHEAD, RESTORE),
    ),
    "the producer has begun anew": (
        [row("members", out={"oldest_event_id": None, "assigned": 0}), replace(row(), missing_events=unknown(NEW))],
        Finding("matching", "ahead", AHEAD, RESTORE),
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_what_is_found_says_what_to_do(name: str) -> None:
    rows, finding = FINDINGS[name]
    assert diagnose(rows) == [finding]


def test_all_that_is_found_is_told_in_the_order_of_the_services() -> None:
    rows = [
        row("members", out={"unsent": 1, "oldest_unsent_age_seconds": 40}),
        ServiceReport("trainings", None, "is away"),
        row(into={"dead": 1}),
    ]
    assert [(finding.service, finding.kind) for finding in diagnose(rows)] == [
        ("members", "outbox"),
        ("trainings", "unreachable"),
        ("matching", "dead"),
    ]
