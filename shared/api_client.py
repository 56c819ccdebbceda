"""HTTP client for the JSON APIs of the services: deadlines, retries, pages of lists and problem documents."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.background import retry_until

Json: TypeAlias = Any
"""A JSON value; its shape is in the OpenAPI document of the service."""
Params: TypeAlias = Mapping[str, Any]
M = TypeVar("M", bound=BaseModel)

IDEMPOTENCY_KEY_IN_USE = "idempotency-key-in-use"
PAGE_SIZE = 100
_RETRYABLE_STATUSES = frozenset({425, 429, 502, 503, 504})
_FIRST_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.075, 1.0
_UNREADABLE = "gives an answer that cannot be read"


class ApiModel(BaseModel):
    """Base of responses. Unknown fields are ignored, so that a service may be newer than its reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ServiceUnavailable(Exception):
    """No usable response: the service is not reached, too slow, or its response cannot be read.

    Args:
        service: its name.
        reason: the end of a sentence that begins with the service's name.
        url: the address below which the service was asked.
    """

    def __init__(self, service: str, reason: str, url: str = "") -> None:
        super().__init__(f"{url}/{service} {reason}" if url else f"{service} {reason}")
        self.service, self.reason = service, reason


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """RFC 9457 problem document of an error response; empty fields where the body is none.

    Args:
        slug: the last part of the problem's type.
        detail: a sentence for people.
        errors: `field: message` for each field at fault.
    """

    slug: str = ""
    detail: str = ""
    errors: tuple[str, ...] = ()

    @classmethod
    def of(cls, response: httpx2.Response) -> "ProblemDocument":
        try:
            body = response.json()
        except ValueError:
            return cls()
        if not isinstance(body, dict):
            return cls()
        errors = [error for error in body.get("errors") or () if isinstance(error, dict) and error.get("field")]
        return cls(
            slug=str(body.get("type") or "").rpartition(":")[2],
            detail=str(body.get("detail") or ""),
            errors=tuple(f"{error['field']}: {error.get('message')}" for error in errors),
        )


class ApiError(Exception):
    """The service responded with an error status; the text is its reason."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.problem = ProblemDocument.of(response)
        self.reason = self.problem.detail or response.reason_phrase or "no reason is given"
        request, reasons = response.request, "; ".join([self.reason, *self.problem.errors])
        super().__init__(f"{request.method} {request.url.path}: {self.status} {reasons}")


class RetryableError(ApiError):
    """An error status after which the same request may succeed a moment later."""


class KeyInUseError(RetryableError):
    """A first request with the same idempotency key is still being handled."""


class ApiClient:
    """Sends requests to the services below one address.

    Args:
        http: the connections; the caller closes them.
        base_url: the services stand below it as `/members`, `/matching` and so on.
        timeout: seconds for one attempt.
        retry_timeout: seconds for which a service that is not reached, restarts or is overloaded is asked again;
            0 for never. A request whose idempotency key is in use is sent again in any case.
    """

    def __init__(
        self, http: httpx2.AsyncClient, base_url: str, *, timeout: float = 5.0, retry_timeout: float = 0.0
    ) -> None:
        self._http, self._base_url = http, base_url.rstrip("/")
        self._timeout, self._retry_timeout = timeout, retry_timeout

    async def request(self, token: str, method: str, service: str, path: str, **options: Any) -> httpx2.Response:
        """A successful response.

        Raises:
            ApiError: the service responded with an error status.
            ServiceUnavailable: it did not respond.
        """
        errors = (RetryableError, ServiceUnavailable) if self._retry_timeout else (KeyInUseError,)
        return await retry_until(
            max(self._timeout, self._retry_timeout),
            lambda: self._attempt(token, method, service, path, options),
            errors,
            pause=_FIRST_RETRY_SECONDS,
            max_pause=_MAX_RETRY_SECONDS,
        )

    async def json(self, token: str, method: str, service: str, path: str, **options: Any) -> Json:
        """The body of a successful response; None if it is empty.

        Raises:
            ApiError, ServiceUnavailable: as `request`.
        """
        response = await self.request(token, method, service, path, **options)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise ServiceUnavailable(service, _UNREADABLE, self._base_url) from error

    async def get(self, token: str, service: str, path: str, model: type[M], params: Params | None = None) -> M:
        """The response to a GET as a model.

        Raises:
            ApiError, ServiceUnavailable: as `request`.
        """
        response = await self.request(token, "GET", service, path, params=dict(params or {}))
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise ServiceUnavailable(service, _UNREADABLE, self._base_url) from error

    async def items(
        self, token: str, service: str, path: str, params: Params | None = None, *, max_pages: int | None = None
    ) -> list[Json]:
        """All items of a paged list, or those of its first pages.

        Raises:
            ApiError, ServiceUnavailable: as `request`.
        """
        items: list[Json] = []
        query = {"limit": PAGE_SIZE, **(params or {})}
        pages = 0
        while max_pages is None or pages < max_pages:
            page = await self.json(token, "GET", service, path, params=query)
            try:
                items += page["items"]
            except (TypeError, LookupError) as error:
                raise ServiceUnavailable(service, _UNREADABLE, self._base_url) from error
            if not page.get("next"):
                break
            query["cursor"] = page["next"]
            pages += 1
        return items

    async def events(self, token: str, service: str, path: str, after: int) -> AsyncIterator[tuple[str, Json]]:
        """Id and data of the server-sent events after a position, until the service ends the stream.

        Raises:
            ServiceUnavailable: there is no stream, or it broke.
        """
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": str(after)}
        timeout = httpx2.Timeout(self._timeout, read=None)
        try:
            async with self._http.sse(f"{self._base_url}/{service}{path}", headers=headers, timeout=timeout) as stream:
                if stream.response.status_code != httpx2.codes.OK:
                    raise ServiceUnavailable(service, f"answers {stream.response.status_code}", self._base_url)
                async for event in stream:
                    if event.id and event.data:
                        yield event.id, event.json()
        except (httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
            raise ServiceUnavailable(service, _not_reached(error), self._base_url) from error

    async def _attempt(
        self, token: str, method: str, service: str, path: str, options: Mapping[str, Any]
    ) -> httpx2.Response:
        options = dict(options)
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.request(
                    method, f"{self._base_url}/{service}{path}", headers=headers, **options
                )
        except (TimeoutError, httpx2.TimeoutException) as error:
            reason = f"gives no answer within {self._timeout:g} s"
            raise ServiceUnavailable(service, reason, self._base_url) from error
        except (httpx2.HTTPError, OSError) as error:
            raise ServiceUnavailable(service, _not_reached(error), self._base_url) from error
        if response.is_success:
            return response
        refusal = ApiError(response)
        if refusal.problem.slug == IDEMPOTENCY_KEY_IN_USE:
            raise KeyInUseError(response)
        raise RetryableError(response) if refusal.status in _RETRYABLE_STATUSES else refusal


def _not_reached(error: Exception) -> str:
    return f"is not reached: {str(error) or type(error).__name__}".rstrip(".")
