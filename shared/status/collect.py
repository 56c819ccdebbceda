"""Asks every service how it is, and every producer for the newest events that others have had of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2
from pydantic import ValidationError

from shared.status.diagnosis import producer_of
from shared.status.models import HandledEvent, MissingEvent, ServiceReport, ServiceStatus

DEADLINE = 5.0
"""Seconds for one request."""
_NOT_ADMITTED = (401, 403)


class AccessDenied(Exception):
    """Every service that answers refuses the token; the text is their sentence, `status` 401 or 403."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


async def collect_status(
    http: httpx2.AsyncClient, base: str, token: str, services: Sequence[str]
) -> list[ServiceReport]:
    """How each service is.

    Args:
        http: what to ask with; each request has a deadline of its own.
        base: the address they stand below.
        token: of an operator.
        services: their names.

    Raises:
        NotAdmitted: the token is of no use.
    """
    if not (token.isascii() and token.isprintable()):
        raise AccessDenied("does not admit this token: it has characters that no token has", 401)
    asking = _Asking(http, base.rstrip("/"), {"Authorization": f"Bearer {token}"})
    rows = await asyncio.gather(*(asking.row(service) for service in services))
    refused = [row for row in rows if not row.admitted]
    if refused and not any(row.told for row in rows):
        raise AccessDenied(refused[0].trouble, asking.refusals[refused[0].service])
    reached = {row.service for row in rows if row.told is not None}
    return list(await asyncio.gather(*(asking.compared(row, reached) for row in rows)))


class _Asking:
    def __init__(self, http: httpx2.AsyncClient, base: str, headers: dict[str, str]) -> None:
        self._http, self._base, self._headers = http, base, headers
        self.refusals: dict[str, int] = {}

    async def row(self, service: str) -> ServiceReport:
        try:
            response = await self._get(service, "/ops/status?finished=false")
            if response.status_code in _NOT_ADMITTED:
                self.refusals[service] = response.status_code
                return ServiceReport(service, None, f"does not admit this token: {_detail(response)}", admitted=False)
            if response.status_code != httpx2.codes.OK:
                return ServiceReport(service, None, f"answers {response.status_code}: {_detail(response)}")
            return ServiceReport(service, ServiceStatus.model_validate_json(response.content))
        except TimeoutError:
            return ServiceReport(service, None, f"gives no answer within {DEADLINE:g} s")
        except (httpx2.HTTPError, OSError) as error:
            return ServiceReport(service, None, f"is not reached: {str(error) or type(error).__name__}".rstrip("."))
        except ValidationError:
            return ServiceReport(service, None, "gives an answer that cannot be read")

    async def compared(self, row: ServiceReport, reached: set[str]) -> ServiceReport:
        """The row with the events that its producers do not have."""
        handled = [
            (producer, event)
            for topic in (row.told.inbox if row.told else [])
            for event in topic.newest
            if (producer := producer_of(topic.topic)) is not None and producer in reached
        ]
        lacking = await asyncio.gather(*(self._lacks(*one) for one in handled))
        unknown = [MissingEvent(*one) for one, lacks in zip(handled, lacking, strict=True) if lacks]
        return replace(row, unknown=unknown)

    async def _lacks(self, producer: str, event: HandledEvent) -> bool:
        """Whether the producer says it has no such event. No answer, or one of an older version, is no word on it."""
        try:
            response = await self._get(producer, f"/ops/events/{event.id}")
        except (httpx2.HTTPError, OSError, TimeoutError):
            return False
        unknown: bool = _problem(response).get("type") == "urn:kei:problem:no-such-event"
        return response.status_code == httpx2.codes.NOT_FOUND and unknown

    async def _get(self, service: str, path: str) -> httpx2.Response:
        async with asyncio.timeout(DEADLINE):
            return await self._http.get(f"{self._base}/{service}{path}", headers=self._headers)


def _detail(response: httpx2.Response) -> str:
    detail = str(_problem(response).get("detail") or response.reason_phrase or "no reason is given")
    return detail.rstrip(".")


def _problem(response: httpx2.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
