"""Reads the status of the services and acts on dead letters, with the token of the signed-in operator."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar, get_args
from uuid import UUID

import httpx2
from pydantic import BaseModel, ValidationError

from services.console.api.models.operations import DeadLetter, DeadLetterList, DeadLetterResult
from services.console.api.user_client import refusal
from shared.api_client import ApiClient, ApiError, ServiceUnavailable
from shared.status import AccessDenied, ServiceReport, collect_status

Action = Literal["retry", "discard"]
Service = Literal["members", "trainings", "matching", "notifications"]
SERVICES: tuple[Service, ...] = get_args(Service)
TIMEOUT_SECONDS = 5.0
"""For one request."""
MAX_DEAD_LETTERS = 100
"""Dead letters in the list of a service."""

M = TypeVar("M", bound=BaseModel)


class OperatorClient:
    """The `/ops` routes of the services below `base_url`."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._client = ApiClient(self._http, base_url, timeout=TIMEOUT_SECONDS)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def status(self, token: str) -> list[ServiceReport]:
        """The status of every service.

        Raises:
            TokenRejected: the token is not valid.
            RequestRefused: 403, with the reason.
        """
        try:
            return await collect_status(self._client, token, SERVICES)
        except AccessDenied as error:
            raise refusal("every service", error.status, f"Every service {error}.") from error

    async def dead_letters(self, token: str, service: str) -> list[DeadLetter]:
        """The oldest dead letters of a service.

        Raises:
            ServiceUnavailable: there is no usable response.
            TokenRejected: the token is not valid.
            RequestRefused: with the service's reason.
        """
        return _read(service, DeadLetterList, await self._send(token, "GET", service)).items

    async def resolve(
        self, token: str, service: str, action: Action, ids: Sequence[UUID] | None, idempotency_key: UUID
    ) -> int:
        """Retry or discard dead letters, or all if `ids` is None; return how many were changed.

        A repeated idempotency key has no second effect and gets the same response.

        Raises:
            ServiceUnavailable, TokenRejected, RequestRefused: as `dead_letters`.
        """
        body: dict[str, Any] = {"action": action, "consumer": service}
        if ids is not None:
            body["event_ids"] = [str(id) for id in ids]
        headers = {"Idempotency-Key": str(idempotency_key)}
        return _read(
            service, DeadLetterResult, await self._send(token, "POST", service, json=body, headers=headers)
        ).count

    async def _send(self, token: str, method: str, service: str, **options: Any) -> object:
        try:
            return await self._client.json(token, method, service, "/ops/dead-letters", **options)
        except ApiError as error:
            raise refusal(service, error.status, f"{service} says: {error.problem.detail or 'no'}") from error


def _read(service: str, model: type[M], body: object) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ServiceUnavailable(service, "gives an answer that cannot be read") from error
