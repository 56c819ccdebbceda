"""Asks every service for its status, and every producer for the newest events that others have handled."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from shared.api_client import ApiClient, ApiError, ServiceUnavailable
from shared.status.diagnosis import producer_of
from shared.status.models import MissingEvent, ServiceReport, ServiceStatus
from shared.status.responses import HandledEvent

_DENIED = (401, 403)
_NOT_FOUND = 404


class AccessDenied(Exception):
    """Every service that responds refuses the token; the text is their sentence, `status` 401 or 403."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


async def collect_status(client: ApiClient, token: str, services: Sequence[str]) -> list[ServiceReport]:
    """The status of each service.

    Args:
        client: of the services.
        token: of an operator.
        services: their names.

    Raises:
        AccessDenied: the token is refused.
    """
    if not (token.isascii() and token.isprintable()):
        raise AccessDenied("does not admit this token: it has characters that no token has", 401)
    collector = _Collector(client, token)
    reports = await asyncio.gather(*(collector.report(service) for service in services))
    refused = [report for report in reports if not report.admitted]
    if refused and not any(report.status for report in reports):
        raise AccessDenied(refused[0].reason, collector.refusals[refused[0].service])
    reached = {report.service for report in reports if report.status is not None}
    return list(await asyncio.gather(*(collector.compared(report, reached) for report in reports)))


class _Collector:
    def __init__(self, client: ApiClient, token: str) -> None:
        self._client, self._token = client, token
        self.refusals: dict[str, int] = {}

    async def report(self, service: str) -> ServiceReport:
        try:
            params = {"include_done": "false"}
            return ServiceReport(
                service, await self._client.get(self._token, service, "/ops/status", ServiceStatus, params)
            )
        except ServiceUnavailable as error:
            return ServiceReport(service, None, error.reason)
        except ApiError as error:
            reason = error.reason.rstrip(".")
            if error.status in _DENIED:
                self.refusals[service] = error.status
                return ServiceReport(service, None, f"does not admit this token: {reason}", admitted=False)
            return ServiceReport(service, None, f"answers {error.status}: {reason}")

    async def compared(self, report: ServiceReport, reached: set[str]) -> ServiceReport:
        """The report with the handled events that their producers do not have."""
        handled = [
            (producer, event)
            for topic in (report.status.inbox if report.status else [])
            for event in topic.newest_handled
            if (producer := producer_of(topic.topic)) is not None and producer in reached
        ]
        missing = await asyncio.gather(*(self._is_missing(*pair) for pair in handled))
        unknown = [MissingEvent(*pair) for pair, is_missing in zip(handled, missing, strict=True) if is_missing]
        return replace(report, missing_events=unknown)

    async def _is_missing(self, producer: str, event: HandledEvent) -> bool:
        """Whether the producer responds that it has no such event; False if it does not respond."""
        try:
            await self._client.json(self._token, "GET", producer, f"/ops/events/{event.id}")
        except ApiError as error:
            return error.status == _NOT_FOUND and error.problem.slug == "no-such-event"
        except ServiceUnavailable:
            pass
        return False
