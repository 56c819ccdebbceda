"""Runs an application under uvicorn, and ends it in good order: unready first, then no new requests, then the end."""

import asyncio
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.web.drain import DRAIN, Drain

KEEP_ALIVE = 5
HEAD_DEADLINE = 10.0
"""Seconds a client has to send a request's head. uvicorn itself would wait for ever."""
MAX_HEAD = 32 * 1024
"""Bytes of a head that are taken in at all; the limits middleware answers well below it."""
WRITE_DEADLINE = 60.0
"""Seconds a client has to take what waits for it; then it is cut, since to close would be to wait for it as well."""
GRACE = 15
"""Seconds that requests in flight get. With the notice before it, a process ends within 20 seconds."""


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a deadline and a size for the head of each request, and a deadline for who takes no answer."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0
    _untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        self._is_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(WRITE_DEADLINE, self.transport.abort)

    def resume_writing(self) -> None:
        self._is_taken()
        super().resume_writing()

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._have_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE, self.transport.close)

    def _have_head(self) -> None:
        self._head = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            raise ValueError("The head of the request is too large.")  # uvicorn answers 400 and closes


class _Server(uvicorn.Server):
    """uvicorn, with a notice time before it closes its door, for the gateway to see that this process is leaving."""

    def __init__(self, config: uvicorn.Config, drain: Drain, notice: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._notice = notice
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - all signals mean the same
        """First signal: drain. Second: close the door at once. Third: do not wait for requests either."""
        if not self._drain.begun:
            self._drain.begin()
        elif not self.should_exit:
            self.should_exit = True
        else:
            self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn; True ends the serving."""
        if self._drain.begun and not self.should_exit:
            now = asyncio.get_running_loop().time()
            self._until = self._until or now + self._notice
            self.should_exit = now >= self._until
        return await super().on_tick(counter)


async def serve(app: ASGIApp, host: str, port: int, *, notice: float = 1.0, drain: Drain = DRAIN) -> None:
    """Serve `app` until SIGTERM or SIGINT, then drain, then return.

    Args:
        app: any ASGI application.
        host: address to listen at.
        port: TCP port.
        notice: seconds between turning unready and closing the door.
        drain: what is begun by the signal.

    Raises:
        SystemExit: the port is taken, or the application did not start.
    """
    await _Server(_config(app, host, port), drain, notice).serve()


def run(app: ASGIApp, host: str, port: int, *, notice: float = 1.0) -> None:
    """Serve `app` in an event loop of its own (uvloop where there is one): a service's main program."""
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
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
