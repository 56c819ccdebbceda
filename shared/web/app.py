"""Builds the web application of a service with the common middleware."""

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
from shared.telemetry import is_traced
from shared.web.edge import EdgeMiddleware, RequestMetrics
from shared.web.limits import Limits, LimitsMiddleware
from shared.web.openapi import document
from shared.web.ops import Ops, ops_router
from shared.web.problems import ProblemError, to_problem

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _is_untraced(scope: Scope) -> bool:
    return not is_traced(scope["path"])


_FRAMEWORK: dict[str, Any] = {
    "docs_url": None,
    "redoc_url": None,
    "redirect_slashes": False,
    "telemetry": {"logs": False, "operation_spans": False, "auto_configure": False, "exclude": _is_untraced},
}


def create_app(  # noqa: PLR0913 - keyword arguments only; a service is assembled here
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
        database: of `Tx` and `Read`; None if the application has none.
        cursor_secret: signs page cursors; equal in all replicas.
        verifier: checks bearer tokens.
        routers: of class `shared.web.Router`.
        lifespan: runs while the application serves.
        ops: health checks and metrics collectors.
        limits: of a request; the defaults if left out.
    """
    app = FastAPI(title=title, version=version, lifespan=lifespan, **_FRAMEWORK)
    app.state.database, app.state.verifier = database, verifier
    app.state.cursor_secret = cursor_secret.encode()
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    registry = _add_middleware(app, limits or Limits())
    for router in [*routers, ops_router(ops or Ops(), database, registry)]:
        app.include_router(router)
    return app


def _add_middleware(app: FastAPI, limits: Limits) -> CollectorRegistry:
    registry = CollectorRegistry()
    for kind in (HTTPException, RequestValidationError, KeiError, ProblemError):
        app.add_exception_handler(kind, _problem_response)
    # The last one added is outermost: the edge turns errors of the limits into responses.
    app.add_middleware(LimitsMiddleware, limits=limits)
    app.add_middleware(EdgeMiddleware, metrics=RequestMetrics(registry))
    return registry


async def _problem_response(request: Request, error: Exception) -> Response:
    problem = to_problem(error)
    if problem.status == 405:  # noqa: PLR2004
        problem.headers["Allow"] = ", ".join(sorted(_methods(request))) or problem.headers.get("Allow", "")
    return problem.response(request.scope)


def _methods(request: Request) -> set[str]:
    """The methods of all routes of this path; the framework would name those of the first route only."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    allowed: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        pattern = getattr(context, "path_regex", None)
        if isinstance(pattern, re.Pattern) and pattern.match(path):
            allowed |= context.methods or set()
    return allowed
