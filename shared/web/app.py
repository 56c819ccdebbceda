"""Builds the web application of a service: the same edge around every one of them."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from shared.auth import Verifier
from shared.db import Database
from shared.errors import KeiError
from shared.telemetry import watched
from shared.web.edge import EdgeMiddleware, RequestMetrics
from shared.web.limits import Limits, LimitsMiddleware
from shared.web.openapi import document
from shared.web.ops import Ops, ops_router
from shared.web.problems import ProblemError, to_problem

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _unwatched(scope: Scope) -> bool:
    return not watched(scope["path"])


_FRAMEWORK: dict[str, Any] = {
    "docs_url": None,
    "redoc_url": None,
    "redirect_slashes": False,
    "telemetry": {"logs": False, "operation_spans": False, "auto_configure": False, "exclude": _unwatched},
}


def create_app(  # noqa: PLR0913 - everything by name; this is the one place where a service is put together
    *,
    title: str,
    version: str,
    database: Database | None,
    cursor_secret: str,
    verifier: Verifier,
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None = None,
    ops: Ops | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """The application with `routers`, the ops routes and `/openapi.json`.

    Args:
        title: of the OpenAPI document.
        version: of the OpenAPI document.
        database: what `Tx` and `Read` open; None if the application holds no data.
        cursor_secret: signs page cursors; the same in all replicas.
        verifier: checks bearer tokens.
        routers: made with `shared.web.Router`.
        lifespan: runs around the serving.
        ops: checks and collectors; the runtime may add to it later.
        limits: bounds of a request, if not the usual ones.
    """
    app = FastAPI(title=title, version=version, lifespan=lifespan, **_FRAMEWORK)
    app.state.database, app.state.verifier = database, verifier
    app.state.cursor_secret = cursor_secret.encode()
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    registry = _surround(app, limits or Limits())
    for router in [*routers, ops_router(ops or Ops(), database, registry)]:
        app.include_router(router)
    return app


def _surround(app: FastAPI, limits: Limits) -> CollectorRegistry:
    registry = CollectorRegistry()
    for kind in (HTTPException, RequestValidationError, KeiError, ProblemError):
        app.add_exception_handler(kind, _answer)
    # Added last is outermost: the edge answers what the limits raise.
    app.add_middleware(LimitsMiddleware, limits=limits)
    app.add_middleware(EdgeMiddleware, traffic=RequestMetrics(registry))
    return registry


async def _answer(request: Request, error: Exception) -> Response:
    refusal = to_problem(error)
    if refusal.status == 405:  # noqa: PLR2004
        refusal.headers["Allow"] = ", ".join(sorted(_methods(request))) or refusal.headers.get("Allow", "")
    return refusal.response(request.scope)


def _methods(request: Request) -> set[str]:
    """The methods of all routes at this address; the framework would name those of the first one only."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        pattern = getattr(context, "path_regex", None)
        if isinstance(pattern, re.Pattern) and pattern.match(path):
            found |= context.methods or set()
    return found
