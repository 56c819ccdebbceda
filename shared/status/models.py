"""Models of a service's `/ops/status`.

A service may be newer or older than its client: unknown fields are ignored, missing ones have defaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.status.responses import HandledEvent, ServiceStatusResponse


class ServiceStatus(ServiceStatusResponse):
    """The status of one service."""

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
