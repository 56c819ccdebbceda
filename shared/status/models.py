"""What is read of a service's `/ops/status`.

A service may be newer or older than whoever asks it: what is not known here is passed over, what is missing is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class StatusModel(BaseModel):
    """Base of what is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SchemaRevision(StatusModel):
    """The schema of the database against what the service knows."""

    applied: str | None
    latest: str | None
    state: Literal["current", "behind", "ahead"]


class OutboxStatus(StatusModel):
    """The outbox and its relay. Ages are in seconds."""

    assigned: int
    sent: int
    unsent: int
    oldest_unsent_age_seconds: float
    epoch: int
    leader: str
    heartbeat_age_seconds: float
    oldest_event_id: UUID | None = None


class HandledEvent(StatusModel):
    """An event that was handled, and when it had arrived."""

    id: UUID
    received_at: datetime


class InboxStatus(StatusModel):
    """The inbox of one topic. `lag` and `lost_records` are None where the process that was asked reads nothing."""

    topic: str
    pending: int
    dead: int
    oldest_pending_age_seconds: float
    lag: int | None = None
    lost_records: int | None = None
    newest_handled: list[HandledEvent] = []


class ServiceStatus(StatusModel):
    """All that one service tells."""

    service: str
    version: str = ""
    revision: SchemaRevision | None = None
    outbox: OutboxStatus
    inbox: list[InboxStatus] = []

    @property
    def dead(self) -> int:
        """Its dead letters."""
        return sum(one.dead for one in self.inbox)


@dataclass(frozen=True, slots=True)
class MissingEvent:
    """An event that a service has handled, and that its producer says it does not have."""

    producer: str
    event: HandledEvent


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service, as it was found.

    Args:
        service: its name.
        told: what it says; None if it gave no answer that can be used.
        reason: why it did not, as the end of a sentence.
        admitted: whether it let the caller in.
        unknown: events it has handled and its producers do not have.
    """

    service: str
    status: ServiceStatus | None
    reason: str = ""
    admitted: bool = True
    missing_events: Sequence[MissingEvent] = ()
