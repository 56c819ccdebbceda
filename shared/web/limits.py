"""Refuses requests that are too large, too slow or of a wrong media type, before any other code runs.

The whole body is read here under one deadline, so no handler waits for a slow sender with an open transaction.
"""

import asyncio
import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web import json_limits
from shared.web.problems import ProblemError

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_TYPE = re.compile(r'\s*([a-z0-9.+/-]+)\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_SINGLE_HEADERS = ("content-type", "content-length", "idempotency-key", "if-match", "host")
_NO_BODY = {"GET", "HEAD", "OPTIONS", "TRACE"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a request: sizes in bytes, times in seconds."""

    body: int = 256 * 1024
    url: int = 4_096
    headers: int = 16 * 1024
    receive: float = 30.0
    types: frozenset[str] = frozenset({JSON})


class LimitsMiddleware:
    """ASGI middleware; raises `ProblemError`, which the edge turns into a response."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the head, read and check the body, and pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_head(scope, headers)
        has_body = scope["method"] not in _NO_BODY or "transfer-encoding" in headers or "content-length" in headers
        if not has_body:
            await self._app(scope, receive, send)
            return
        body = await self._read_body(headers, receive)
        if body:
            self._check_body(scope, headers, body)
        await self._app(scope, _replay(body, receive), send)

    def _check_head(self, scope: Scope, headers: Headers) -> None:
        raw = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"")
        if len(raw) + len(query) > self._limits.url:
            raise ProblemError(414, "url-too-long", f"The address is longer than {self._limits.url} bytes.")
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > self._limits.headers:
            raise ProblemError(431, "headers-too-large", f"The headers are larger than {self._limits.headers} bytes.")
        if "\0" in scope["path"] or b"%00" in query or b"\0" in query:
            raise ProblemError(400, "malformed-url", "The address contains the NUL character.")
        for name in _SINGLE_HEADERS:
            if len(headers.getlist(name)) > 1:
                raise ProblemError(
                    400, "repeated-header", f"The header {name} occurs twice.", errors=[(name, "Occurs twice.")]
                )

    async def _read_body(self, headers: Headers, receive: Receive) -> bytes:
        too_large = ProblemError(
            413,
            "body-too-large",
            f"The body is larger than {self._limits.body} bytes.",
            headers={"Connection": "close"},
        )
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            raise ProblemError(400, "malformed-request", "Content-Length is not a number.")
        if len(declared) > 18 or int(declared) > self._limits.body:  # noqa: PLR2004 - more digits than any real length
            raise too_large
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._limits.receive):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ProblemError(400, "malformed-request", "The request ended before its body.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > self._limits.body:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError as error:
            detail = f"The body was not received within {self._limits.receive:g} seconds."
            raise ProblemError(408, "body-too-slow", detail, headers={"Connection": "close"}) from error

    def _check_body(self, scope: Scope, headers: Headers, body: bytes) -> None:
        match = _TYPE.fullmatch(headers.get("content-type", ""))
        media_type = match[1].lower() if match else ""
        if media_type not in self._limits.types:
            accepted = ", ".join(sorted(self._limits.types))
            headers_of_reply = {"Accept-Post": accepted} if scope["method"] == "POST" else {}
            raise ProblemError(
                415, "unsupported-media-type", f"Send the body as {accepted} in UTF-8.", headers=headers_of_reply
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ProblemError(415, "unsupported-encoding", "Send the body uncompressed.")
        if media_type != JSON:
            return
        try:
            json_limits.check(body)
        except json_limits.NotJsonError as error:
            raise ProblemError(400, "malformed-json", str(error), errors=[("body", str(error))]) from error
        except json_limits.LimitExceededError as error:
            errors = [(error.path, error.message)]
            raise ProblemError(422, "invalid-request", "Some values do not fit.", errors=errors) from error


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return the body once, then the messages of the server (that the client has disconnected)."""
    sent_once = False

    async def receive_once() -> Message:
        nonlocal sent_once
        if sent_once:
            return await receive()
        sent_once = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_once
