"""The outermost layer of a service: request id, security headers, request metrics, and an answer to every exception."""

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
"""What an API answers unless the handler said otherwise; pages of the console bring their own."""


class RequestMetrics:
    """Counters of one service's requests, by route template so that ids in paths do not make new series."""

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

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """One request was answered."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = scope.get("kei.route", "other")
        self._count.labels(method, route, str(status)).inc()
        self._time.labels(method, route).observe(seconds)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class EdgeMiddleware:
    """See the module. Nothing raised inside leaves it once it can still be answered."""

    def __init__(self, app: ASGIApp, traffic: RequestMetrics) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("kei.request_id", _request_id(Headers(scope=scope)))
        begun = asyncio.get_running_loop().time()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                self._traffic.note(scope, status, asyncio.get_running_loop().time() - begun)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                refusal = _note(to_problem(error), error)
                if status:
                    raise  # half an answer is out: let the server cut the connection, so that nobody takes it for whole
                await refusal.response(scope)(scope, receive, answer)


def _request_id(headers: Headers) -> str:
    given = headers.getlist("x-request-id")
    return given[0] if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else str(clock.new_id())


def _note(refusal: ProblemError, error: Exception) -> ProblemError:
    """Log what the answer does not say."""
    if refusal.status == 500:  # noqa: PLR2004
        trace.get_current_span().record_exception(error)
        _log.error("request failed", exc_info=error)
    elif not isinstance(error, ProblemError):
        _log.warning("request refused", status=refusal.status, error=type(error).__name__, reason=str(error)[:300])
    return refusal
