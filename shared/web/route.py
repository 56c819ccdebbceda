"""The route class of all services: a declared policy, and one transaction that commits before the response."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Request, params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import APIRoute
from starlette.responses import Response, StreamingResponse

from shared.auth import Policy
from shared.db import Database, ReadSession, WriteSession
from shared.schemas import RawJson, RequestModel
from shared.web import idempotency
from shared.web.openapi import declared, flat
from shared.web.problems import unavailable
from shared.web.query import known_names, refuse_unknown

REQUEST_DEADLINE = 30.0
"""Seconds from the complete request to the complete response, commit included."""

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def long_lived(endpoint: _Endpoint) -> _Endpoint:
    """Mark a streaming or long-polling endpoint. It has no deadline, and has to end when the drain begins."""
    endpoint.long_lived = True  # type: ignore[attr-defined]
    return endpoint


class _RolledBack(Exception):
    """Carries an error response out of the transaction, which it rolls back. Internal to this module."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _UnitOfWork:
    """At most one transaction per request, opened at its first use."""

    def __init__(self, request: Request, stack: AsyncExitStack) -> None:
        self._request = request
        self._stack = stack
        self._session: WriteSession | None = None
        self._key: str | None = None
        self._request_with_key: idempotency.IdempotentRequest | None = None

    async def open(self, key: str | None) -> WriteSession:
        """The write session of the request. The first statement takes a connection from the pool."""
        if self._session is None:
            self._session = await self._stack.enter_async_context(_database(self._request).transaction())
            self._key = key
        return self._session

    async def stored_response(self) -> Response | None:
        """The response to an earlier attempt with the same key. Called after authorisation and validation."""
        if self._session is None or self._key is None:
            return None
        principal = self._request.scope.get("kei.principal")
        url = self._request.url
        attempt = idempotency.IdempotentRequest(
            principal=principal.subject if principal else "",
            key=self._key,
            request=f"{self._request.method} {url.path}?{url.query}",
            body=await self._request.body(),
        )
        response = await idempotency.stored_response(self._session, attempt)
        if response is None:
            self._request_with_key = attempt
        return response

    async def close(self, response: Response) -> None:
        """Store a successful response with its key; the commit follows.

        Raises:
            _RolledBack: the response is an error.
        """
        if self._session is None:
            return
        if response.status_code >= 400:  # noqa: PLR2004
            raise _RolledBack(response)
        if self._request_with_key is not None and response.status_code < 300:  # noqa: PLR2004
            await idempotency.store(self._session, self._request_with_key, response)


_unit_of_work: ContextVar[_UnitOfWork] = ContextVar("kei_unit")


async def _transaction(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[!-~]+$",
            description="Makes a retry safe: requests with the same key and body have one effect and one response.",
        ),
    ] = None,
) -> WriteSession:
    return await _unit_of_work.get().open(key)


async def _reading(request: Request) -> AsyncIterator[ReadSession]:
    async with _database(request).reading() as session:
        yield session


Tx = Annotated[WriteSession, Depends(_transaction)]
"""The transaction of the request: committed before the response is sent, rolled back for an error response."""

Read = Annotated[ReadSession, Depends(_reading, scope="function")]
"""A read session, closed before the response is sent."""


def _database(request: Request) -> Database:
    database = request.app.state.database
    if not isinstance(database, Database):
        raise TypeError("This service was built without a database.")
    return database


class _KeiRequest(Request):
    """Passes the body on as bytes, which `RequestModel` validates; its size and depth were checked before."""

    async def json(self) -> RawJson:
        return RawJson(await self.body())


class KeiRoute(APIRoute):
    """A route with a mandatory policy and the transaction of `Tx`.

    Raises:
        TypeError: no policy, a JSON body that is not one `RequestModel`, or `Tx` in a streaming or blocking route.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        parameters: dict[str, bool] = {}
        options["dependencies"] = _policy_first(path, endpoint, options.get("dependencies") or [], parameters)
        super().__init__(path, _deduplicated(endpoint), **options)
        parameters.update(known_names(self.dependant))
        calls = [part.call for part in flat(self.dependant)]
        policies = [call for call in map(_as_policy, calls) if call is not None]
        writes = _transaction in calls
        name = f"{sorted(self.methods or ())} {path} ({self.name})"
        if not policies:
            raise TypeError(f"{name} declares no policy: use allow(), anyone_signed_in(), partner_key() or public().")
        if writes and not _may_write(self, endpoint):
            raise TypeError(f"{name} uses Tx: it has to be an async function that returns a complete response.")
        if not _reads_one_body(self):
            raise TypeError(f"{name} has to take its JSON body as one model derived from RequestModel.")
        self.responses = {
            **declared(self.dependant, body=self.body_field is not None, policies=policies, writes=writes),
            **self.responses,
        }

    def get_route_handler(self) -> _Handler:
        """FastAPI's handler inside the transaction and the deadline."""
        handler = super().get_route_handler()
        deadline = None if getattr(self.endpoint, "long_lived", False) else REQUEST_DEADLINE

        async def handle(request: Request) -> Response:
            request.scope["kei.route"] = self.path
            limit = asyncio.timeout(deadline)
            try:
                async with limit:
                    return await _in_transaction(handler, _KeiRequest(request.scope, request.receive))
            except TimeoutError as error:
                if limit.expired():
                    raise unavailable(detail="The request took too long and was cancelled.") from error
                raise

        return handle


class Router(APIRouter):
    """An APIRouter whose routes are all `KeiRoute`s."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=KeiRoute, **options)


def _policy_first(
    path: str, endpoint: Callable[..., Any], dependencies: Sequence[params.Depends], parameters: dict[str, bool]
) -> list[params.Depends]:
    """Put the policies first: authorisation runs before any other validation."""
    calls = [part.call for part in flat(get_dependant(path=path, call=endpoint))]
    own_policies = [params.Depends(call) for call in calls if _as_policy(call) is not None]
    declared_policies = [part for part in dependencies if _as_policy(part.dependency) is not None]
    others = [part for part in dependencies if part not in declared_policies]

    async def known_parameters_only(request: Request) -> None:
        refuse_unknown(request.query_params, parameters)

    return [*declared_policies, *own_policies, params.Depends(known_parameters_only), *others]


def _as_policy(call: object) -> Policy | None:
    return call if isinstance(call, Policy) else None


async def _in_transaction(handler: _Handler, request: Request) -> Response:
    try:
        async with AsyncExitStack() as stack:
            unit = _UnitOfWork(request, stack)
            _unit_of_work.set(unit)
            response = await handler(request)
            await unit.close(response)
    except _RolledBack as rolled_back:
        return rolled_back.response
    return response


def _deduplicated(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, called only if there is no stored response to its Idempotency-Key."""
    if not inspect.iscoroutinefunction(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    async def deduplicated(**values: Any) -> object:
        stored = await _unit_of_work.get().stored_response()
        return stored if stored is not None else await endpoint(**values)

    return deduplicated


def _may_write(route: KeiRoute, endpoint: Callable[..., Any]) -> bool:
    """Not with a streamed response, which starts before its end is known, nor in a thread, which has no session."""
    declared_class = route.response_class
    response_class = declared_class.value if isinstance(declared_class, DefaultPlaceholder) else declared_class
    return inspect.iscoroutinefunction(endpoint) and not issubclass(response_class, StreamingResponse)


def _reads_one_body(route: KeiRoute) -> bool:
    fields = [field for part in flat(route.dependant) for field in part.body_params]
    if not fields or all(isinstance(field.field_info, params.Form) for field in fields):
        return True
    kind = fields[0].field_info.annotation
    is_single = len(fields) == 1 and route.body_field is fields[0]
    return is_single and isinstance(kind, type) and issubclass(kind, RequestModel)
