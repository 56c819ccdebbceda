"""Runs an application under uvicorn with a graceful end: unready, then no new connections, then exit."""

import asyncio
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.web.drain import DRAIN, Drain

KEEP_ALIVE_SECONDS = 5
HEAD_DEADLINE = 10.0
"""Seconds for a client to send the head of a request; uvicorn has no limit."""
MAX_HEAD_BYTES = 32 * 1024
"""Maximum size of a head; the limits middleware responds well below it."""
WRITE_DEADLINE = 60.0
"""Seconds for a client to read pending data; then the connection is aborted, since a close would wait as well."""
GRACE_SECONDS = 15
"""Seconds for requests in flight. With the notice before it, a process ends within 20 seconds."""


class ProcessFailed(Exception):
    """A part of the process failed; its supervisor has to notice and restart it. The text is a sentence."""


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with limits for the time and size of a request's head, and a deadline for reading the response."""

    _head_deadline: asyncio.TimerHandle | None = None
    _head_size = 0
    _write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_deadline()
        self._cancel_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.call_later(WRITE_DEADLINE, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_write_deadline()
        super().resume_writing()

    def on_message_begin(self) -> None:
        self._start_head_deadline()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count_head_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head_bytes(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._cancel_head_deadline()
        super().on_headers_complete()

    def _start_head_deadline(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_DEADLINE, self.transport.close)

    def _cancel_head_deadline(self) -> None:
        self._head_size = 0
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _cancel_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _count_head_bytes(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD_BYTES:
            raise ValueError("The head of the request is too large.")  # uvicorn answers 400 and closes


class _Server(uvicorn.Server):
    """uvicorn that becomes unready some time before it stops accepting, so that the gateway notices."""

    def __init__(self, config: uvicorn.Config, drain: Drain, notice: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._notice = notice
        self._close_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - all signals have the same effect
        """First signal: drain. Second: stop accepting at once. Third: do not wait for requests in flight."""
        if not self._drain.begun:
            self._drain.begin()
        elif not self.should_exit:
            self.should_exit = True
        else:
            self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn; True ends the server."""
        if self._drain.begun and not self.should_exit:
            now = asyncio.get_running_loop().time()
            self._close_at = self._close_at or now + self._notice
            self.should_exit = now >= self._close_at
        return await super().on_tick(counter)


async def serve(app: ASGIApp, host: str, port: int, *, notice: float = 1.0, drain: Drain = DRAIN) -> None:
    """Serve `app` until SIGTERM or SIGINT, then drain, then return.

    Args:
        app: any ASGI application.
        host: address to listen at.
        port: TCP port.
        notice: seconds between unready and the end of accepting.
        drain: begins with the signal.

    Raises:
        SystemExit: the port is taken, or the application did not start.
        ProcessFailed: a part of the process failed, which ended it.
    """
    await _Server(_config(app, host, port), drain, notice).serve()
    if drain.failure is not None:
        raise ProcessFailed(drain.failure)


def run(app: ASGIApp, host: str, port: int, *, notice: float = 1.0) -> None:
    """Serve `app` in a new event loop (uvloop if installed): the main program of a service."""
    config = _config(app, host, port)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_Server(config, DRAIN, notice).serve())


def _config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
