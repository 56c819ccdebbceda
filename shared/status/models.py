"""Models of a service's `/ops/status`.

A service may be newer or older than its client: unknown fields are ignored, missing ones have defaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class StatusModel(BaseModel):
    """Base of the models."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SchemaRevision(StatusModel):
    """The applied schema revision of the database, and the latest one that the service knows."""

    applied: str | None
    latest: str | None
    state: Literal["current", "behind", "ahead"]


class OutboxStatus(StatusModel):
    """The outbox and its relay. `assigned` and `sent` are positions, `unsent` is a number of events."""

    assigned: int
    sent: int
    unsent: int
    oldest_unsent_age_seconds: float
    epoch: int
    leader: str
    heartbeat_age_seconds: float
    oldest_event_id: UUID | None = None


class HandledEvent(StatusModel):
    """An event that was handled, and the time of its receipt."""

    id: UUID
    received_at: datetime


class InboxStatus(StatusModel):
    """The inbox of one topic. `lag` and `lost_records` are None if the process does not read from Kafka."""

    topic: str
    pending: int
    dead: int
    oldest_pending_age_seconds: float
    lag: int | None = None
    lost_records: int | None = None
    newest_handled: list[HandledEvent] = []


class ServiceStatus(StatusModel):
    """The status of one service."""

    service: str
    version: str = ""
    revision: SchemaRevision | None = None
    outbox: OutboxStatus
    inbox: list[InboxStatus] = []

    @property
    def dead(self) -> int:
        """Number of dead letters."""
        return sum(topic.dead for topic in self.inbox)


@dataclass(frozen=True, slots=True)
class MissingEvent:
    """An event that a service has handled and that its producer does not have."""

    producer: str
    event: HandledEvent


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """The report of one service.

    Args:
        service: its name.
        status: None if there was no usable response.
        reason: why not, as the end of a sentence.
        admitted: whether the service accepted the token.
        missing_events: handled events that their producers do not have.
    """

    service: str
    status: ServiceStatus | None
    reason: str = ""
    admitted: bool = True
    missing_events: Sequence[MissingEvent] = ()
