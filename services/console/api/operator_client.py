"""How the console asks the services for an operator: with the operator's own token, so that they decide what may be."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import httpx2
from pydantic import ValidationError

from services.console.api.models import Answer
from services.console.api.public_client import DEADLINE, Away
from services.console.request.session import SignInFirst, Visitor
from shared import clock
from shared.status import AccessDenied, ServiceReport, collect_status
from shared.web import ProblemError

Action = Literal["retry", "discard"]
Service = Literal["members", "trainings", "matching", "notifications"]
SERVICES: tuple[Service, ...] = get_args(Service)
LISTED = 100
"""Dead letters that a service lists, at most."""
_AGAIN = 0.1
_IN_USE = "urn:kei:problem:idempotency-key-in-use"


class Letter(Answer):
    """An event that could not be handled."""

    event_id: UUID
    topic: str
    type: str
    attempts: int
    reason: str
    received_at: datetime


class Letters(Answer):
    """The oldest dead letters of a service."""

    items: list[Letter]


class Handled(Answer):
    """How many dead letters it concerned."""

    count: int


class Operating:
    """The services by what an operator asks of them; they stand below the address `base`."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._client = httpx2.AsyncClient(timeout=DEADLINE, trust_env=False)

    async def close(self) -> None:
        """Give up all connections."""
        await self._client.aclose()

    async def rows(self, caller: Visitor) -> list[ServiceReport]:
        """How every service is.

        Raises:
            SignInFirst: they do not know the visitor any longer.
            Refusal: 403; they do, and say no.
        """
        try:
            return await collect_status(self._client, self._base, caller.token, SERVICES)
        except AccessDenied as error:
            raise _turned_away(error.status, f"Every service {error}.") from error

    async def letters(self, caller: Visitor, service: str) -> list[Letter]:
        """The oldest dead letters of a service.

        Raises:
            Away: it gives no answer that can be used.
            SignInFirst, Refusal: as above, or with what else it says.
        """
        answer = await self._ask(caller, "GET", service)
        try:
            return Letters.model_validate_json(answer.content).items
        except ValidationError as error:
            raise Away(service, repr(error)) from error

    async def handle(self, caller: Visitor, service: str, action: Action, ids: Sequence[UUID] | None, key: UUID) -> int:
        """Have dead letters handled again or given up: these, or all; how many there were.

        Asked twice with the same key it acts once, and gives the same answer.

        Raises:
            Away, SignInFirst, Refusal: as above.
        """
        body: dict[str, Any] = {"action": action, "consumer": service}
        if ids is not None:
            body["event_ids"] = [str(id) for id in ids]
        answer = await self._ask(
            caller, "POST", service, content=json.dumps(body), headers={"Idempotency-Key": str(key)}
        )
        try:
            return Handled.model_validate_json(answer.content).count
        except ValidationError as error:
            raise Away(service, repr(error)) from error

    async def _ask(self, caller: Visitor, method: str, service: str, **options: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
        headers |= options.pop("headers", {})
        address = f"{self._base}/{service}/ops/dead-letters"
        try:
            async with asyncio.timeout(DEADLINE):
                response = await self._client.request(method, address, headers=headers, **options)
                while _problem(response).get("type") == _IN_USE:  # the first of two clicks is being answered
                    await asyncio.sleep(clock.jitter(_AGAIN))
                    response = await self._client.request(method, address, headers=headers, **options)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            raise Away(service, repr(error)) from error
        if response.is_success:
            return response
        if response.is_server_error:
            raise Away(service, f"status {response.status_code}")
        raise _turned_away(response.status_code, f"{service} says: {_problem(response).get('detail', 'no')}")


def _turned_away(status: int, sentence: str) -> Exception:
    if status == httpx2.codes.UNAUTHORIZED:
        return SignInFirst("ended")
    return ProblemError(status, "refused", sentence)


def _problem(response: httpx2.Response) -> dict[str, Any]:
    if response.is_success:
        return {}
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
