"""Responds to errors of the services, and shows problem documents as HTML pages to clients that accept HTML."""

import json
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.api.user_client import RequestRefused
from services.console.view import formatting, templating
from shared.api_client import ServiceUnavailable
from shared.web import ProblemError
from shared.web.problems import MEDIA_TYPE

_TITLES = {
    400: "This could not be read",
    403: "You may not do this",
    404: "There is no such page",
    405: "This cannot be done here",
    413: "This is too large",
    422: "The address does not fit this page",
    500: "Something went wrong",
    503: "Not available just now",
}
_HINTS = {
    404: "The address may be mistyped, or the page has moved.",
    422: "Something after the question mark is not known here.",
    500: "The error is logged; it is not your fault.",
}
_COPIED_HEADERS = ("x-request-id", "retry-after", "allow", "cache-control", "x-content-type-options")


async def respond_to_service_error(request: Request, error: Exception) -> Response:
    """The response to RequestRefused, with the service's reason, and to ServiceUnavailable."""
    if isinstance(error, RequestRefused):
        return ProblemError(error.status, "refused", str(error)).response(request.scope)
    service = error.service if isinstance(error, ServiceUnavailable) else "The service"
    detail = f"{service} does not respond. If you have sent a form, check in a minute whether it was done."
    problem = ProblemError(503, "unavailable", formatting.capitalized(detail), headers={"Retry-After": "5"})
    return problem.response(request.scope)


class ProblemPageMiddleware:
    """Replaces a problem document by a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, and hold back the response if it is a problem document."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_page(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE:
                    start = message
                    return
            elif start is not None:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _page(scope, start, body)(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive, send_page)


def _page(scope: Scope, start: Message, body: bytes) -> Response:
    problem = json.loads(body)
    status: int = start["status"]
    headers = {name: value for name, value in Headers(raw=start["headers"]).items() if name in _COPIED_HEADERS}
    is_missing = status == HTTPStatus.NOT_FOUND
    values = {
        "status": status,
        "title": _TITLES.get(status, HTTPStatus(status).phrase),
        "detail": _HINTS[404] if is_missing else problem["detail"],
        "hint": "" if is_missing else _HINTS.get(status, ""),
        "retry_href": scope["path"] if status in {422, 503} and scope["method"] == "GET" else None,
        "of_operations": scope["path"].startswith("/operations/"),
        "request_id": problem["request_id"] if status == HTTPStatus.INTERNAL_SERVER_ERROR else None,
    }
    return templating.page(scope, "problem.html", values, status, headers)
