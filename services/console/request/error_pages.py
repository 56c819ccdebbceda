"""Refusals as pages. The edge writes them as problem documents; whoever asked for HTML gets the same as a page."""

import json
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.view import templating
from shared.web.problems import MEDIA_TYPE

_TITLES = {
    400: "This could not be read",
    403: "You may not do this",
    404: "There is no such page",
    405: "This cannot be done here",
    413: "This is too much",
    422: "The address does not fit this page",
    500: "Something went wrong here",
    503: "Not available just now",
}
_HINTS = {
    404: "The address may be mistyped, or what was here has another name now.",
    422: "Something after the question mark is not known here.",
    500: "It has been noted, and it is not your doing.",
}


class ProblemPages:
    """The outermost layer: replaces a problem document by a page for people."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and look at how the answer begins."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        begun: Message | None = None
        body = b""

        async def answer(message: Message) -> None:
            nonlocal begun, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE:
                    begun = message
                    return
            elif begun is not None:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _page(scope, begun, body)(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive, answer)


def _page(scope: Scope, begun: Message, body: bytes) -> Response:
    problem = json.loads(body)
    status: int = begun["status"]
    kept = ("x-request-id", "retry-after", "allow", "cache-control", "x-content-type-options")
    headers = {name: value for name, value in Headers(raw=begun["headers"]).items() if name in kept}
    values = {
        "status": status,
        "title": _TITLES.get(status, HTTPStatus(status).phrase),
        "detail": problem["detail"] if status != HTTPStatus.NOT_FOUND else _HINTS[404],
        "hint": _HINTS.get(status, "") if status != HTTPStatus.NOT_FOUND else "",
        "again": scope["path"] if status in {422, 503} and scope["method"] == "GET" else None,
        "back": scope["path"].startswith("/operations/"),
        "request_id": problem["request_id"] if status == HTTPStatus.INTERNAL_SERVER_ERROR else None,
    }
    return templating.page(scope, "problem.html", values, status, headers)
