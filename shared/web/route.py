"""The route class of all services: a declared policy, one transaction per request, committed before the reply."""

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
    """Mark a streaming or long-polling endpoint: no request deadline. It has to end by itself when the drain begins."""
    endpoint.long_lived = True  # type: ignore[attr-defined]
    return endpoint


class _RolledBack(Exception):
    """The way out of the transaction with a refusal in hand. Nobody else sees it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _UnitOfWork:
    """What one request does to the database: at most one transaction, opened when first asked for."""

    def __init__(self, request: Request, stack: AsyncExitStack) -> None:
        self._request = request
        self._stack = stack
        self._session: WriteSession | None = None
        self._key: str | None = None
        self._attempt: idempotency.IdempotentRequest | None = None

    async def open(self, key: str | None) -> WriteSession:
        """The request's write session. The connection behind it is taken with the first statement."""
        if self._session is None:
            self._session = await self._stack.enter_async_context(_database(self._request).transaction())
            self._key = key
        return self._session

    async def earlier(self) -> Response | None:
        """The answer to an earlier attempt with the same key. Called when caller and body are known to be good."""
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
            self._attempt = attempt
        return response

    async def close(self, response: Response) -> None:
        """The response is complete: store it with its key; the commit follows. A refusal is rolled back instead."""
        if self._session is None:
            return
        if response.status_code >= 400:  # noqa: PLR2004
            raise _RolledBack(response)
        if self._attempt is not None and response.status_code < 300:  # noqa: PLR2004
            await idempotency.store(self._session, self._attempt, response)


_unit_of_work: ContextVar[_UnitOfWork] = ContextVar("kei_unit")


async def _transaction(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[!-~]+$",
            description="Makes a retry safe: the same key and body give the same answer, and one effect.",
        ),
    ] = None,
) -> WriteSession:
    return await _unit_of_work.get().open(key)


async def _reading(request: Request) -> AsyncIterator[ReadSession]:
    async with _database(request).reading() as session:
        yield session


Tx = Annotated[WriteSession, Depends(_transaction)]
"""The request's transaction: committed after the response is built and before it is sent, rolled back for a refusal."""

Read = Annotated[ReadSession, Depends(_reading, scope="function")]
"""A read session, given back before the reply leaves."""


def _database(request: Request) -> Database:
    database = request.app.state.database
    if not isinstance(database, Database):
        raise TypeError("This service was built without a database.")
    return database


class _KeiRequest(Request):
    """Hands the body on as bytes: `RequestModel` reads them by JSON's rules, and the structure was checked before."""

    async def json(self) -> RawJson:
        return RawJson(await self.body())


class KeiRoute(APIRoute):
    """A route that cannot be built without a policy, and that keeps the promises of `Tx`.

    Raises:
        TypeError: no policy, a JSON body that is no single `RequestModel`, or `Tx` in a streaming or blocking route.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        parameters: dict[str, bool] = {}
        options["dependencies"] = _policy_first(path, endpoint, options.get("dependencies") or [], parameters)
        super().__init__(path, _deduplicated(endpoint), **options)
        parameters.update(known_names(self.dependant))
        used = [part.call for part in flat(self.dependant)]
        policies = [call for call in map(_as_policy, used) if call is not None]
        writes = _transaction in used
        name = f"{sorted(self.methods or ())} {path} ({self.name})"
        if not policies:
            raise TypeError(f"{name} declares no policy: use allow(), anyone_signed_in(), partner_key() or public().")
        if writes and not _may_write(self, endpoint):
            raise TypeError(f"{name} uses Tx: it has to be an async function that returns a complete response.")
        if not _reads_one_body(self):
            raise TypeError(f"{name} has to take its JSON body as one model derived from Body.")
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
                    raise unavailable(detail="This took too long and was given up.") from error
                raise

        return handle


class Router(APIRouter):
    """An APIRouter whose routes are all `KeiRoute`s."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=KeiRoute, **options)


def _policy_first(
    path: str, endpoint: Callable[..., Any], dependencies: Sequence[params.Depends], parameters: dict[str, bool]
) -> list[params.Depends]:
    """Who may not call learns nothing else: the policies run before anything that could find another fault."""
    used = [part.call for part in flat(get_dependant(path=path, call=endpoint))]
    own = [params.Depends(call) for call in used if _as_policy(call) is not None]
    given = [part for part in dependencies if _as_policy(part.dependency) is not None]
    others = [part for part in dependencies if part not in given]

    async def known_parameters_only(request: Request) -> None:
        refuse_unknown(request.query_params, parameters)

    return [*given, *own, params.Depends(known_parameters_only), *others]


def _as_policy(call: object) -> Policy | None:
    return call if isinstance(call, Policy) else None


async def _in_transaction(handler: _Handler, request: Request) -> Response:
    try:
        async with AsyncExitStack() as stack:
            unit = _UnitOfWork(request, stack)
            _unit_of_work.set(unit)
            response = await handler(request)
            await unit.close(response)
    except _RolledBack as refusal:
        return refusal.response
    return response


def _deduplicated(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, entered only if no earlier attempt with the same key has an answer."""
    if not inspect.iscoroutinefunction(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    async def once(**values: Any) -> object:
        stored = await _unit_of_work.get().earlier()
        return stored if stored is not None else await endpoint(**values)

    return once


def _may_write(route: KeiRoute, endpoint: Callable[..., Any]) -> bool:
    """A streamed reply would begin before its end is known, and a thread cannot use the session."""
    declared_class = route.response_class
    response_class = declared_class.value if isinstance(declared_class, DefaultPlaceholder) else declared_class
    return inspect.iscoroutinefunction(endpoint) and not issubclass(response_class, StreamingResponse)


def _reads_one_body(route: KeiRoute) -> bool:
    fields = [field for part in flat(route.dependant) for field in part.body_params]
    if not fields or all(isinstance(field.field_info, params.Form) for field in fields):
        return True
    kind = fields[0].field_info.annotation
    alone = len(fields) == 1 and route.body_field is fields[0]
    return alone and isinstance(kind, type) and issubclass(kind, RequestModel)
