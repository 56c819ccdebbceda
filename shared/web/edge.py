"""The outermost middleware: request id, security headers, request metrics, and a response to every exception."""

import asyncio
import re

import structlog
from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import clock
from shared.web.problems import ProblemError, to_problem

_log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Defaults of responses; pages of the console set their own."""


class RequestMetrics:
    """Request metrics of one service, by route template, so that ids in paths do not create new series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["method", "route", "status"]
        self._count = Counter(
            "kei_http_requests",
            "Number of HTTP requests answered, by method, route and status",
            labels,
            registry=registry,
        )
        self._time = Histogram(
            "kei_http_request_duration_seconds",
            "Seconds from an HTTP request to the start of its response",
            labels[:2],
            registry=registry,
            buckets=_BUCKETS,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one response."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = scope.get("kei.route", "other")
        self._count.labels(method, route, str(status)).inc()
        self._time.labels(method, route).observe(seconds)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class EdgeMiddleware:
    """Handles every exception that can still become a response."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("kei.request_id", _request_id(Headers(scope=scope)))
        started_at = asyncio.get_running_loop().time()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                self._metrics.observe(scope, status, asyncio.get_running_loop().time() - started_at)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                problem = _log_problem(to_problem(error), error)
                if status:
                    raise  # part of the response is sent; the server closes the connection to show that
                await problem.response(scope)(scope, receive, send_with_headers)


def _request_id(headers: Headers) -> str:
    values = headers.getlist("x-request-id")
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else str(clock.new_id())


def _log_problem(problem: ProblemError, error: Exception) -> ProblemError:
    """Log the cause, which the response does not contain."""
    if problem.status == 500:  # noqa: PLR2004
        trace.get_current_span().record_exception(error)
        _log.error("request failed", exc_info=error)
    elif not isinstance(error, ProblemError):
        _log.warning("request refused", status=problem.status, error=type(error).__name__, reason=str(error)[:300])
    return problem
