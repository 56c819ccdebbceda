"""Background loops, and work that is repeated until a deadline. Pauses have jitter, so that replicas do not meet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import TypeAlias, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import jitter

RETRYABLE_ERRORS = (SQLAlchemyError, OSError)
"""What a loop survives: the absence of the database or the network, and time-outs (TimeoutError is an OSError)."""

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[object]]

_log = structlog.get_logger(__name__)


async def every(
    seconds: float,
    work: Callable[[], Awaitable[float | None]],
    *,
    failure_message: str,
    wake: asyncio.Event | None = None,
    sleep: Sleep = asyncio.sleep,
    **log_fields: str,
) -> None:
    """Call `work` at once and then again after each pause, until cancelled. A retryable error is logged.

    Args:
        seconds: pause between two calls, with jitter.
        work: may return the seconds until the next call, instead of the usual pause.
        failure_message: logged with the error, e.g. "label expiry failed, retrying".
        wake: ends a pause early. It is cleared before each call, so that a wake during a call leads to another call.
        sleep: of a loop without `wake`; an argument for tests.
        log_fields: further fields of the log message.
    """
    while True:
        if wake is not None:
            wake.clear()
        pause = None
        try:
            pause = await work()
        except RETRYABLE_ERRORS as error:
            _log.warning(failure_message, reason=repr(error), **log_fields)
        pause = jitter(seconds) if pause is None else pause
        if wake is None:
            await sleep(pause)
        elif pause > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()


async def retry_until(
    timeout: float,
    work: Callable[[], Awaitable[T]],
    errors: type[Exception] | tuple[type[Exception], ...],
    *,
    pause: float,
    max_pause: float | None = None,
    clock: Callable[[], float] = monotonic,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Call `work` until it raises none of `errors`; return its result.

    After `timeout` seconds the next of these errors is raised. Pauses double from `pause` to `max_pause`, if given.
    """
    until, pauses = clock() + timeout, _pauses(pause, max_pause)
    while True:
        try:
            return await work()
        except errors:
            if clock() > until:
                raise
        await sleep(next(pauses))


async def poll_until(
    timeout: float,
    read: Callable[[], Awaitable[T]],
    is_done: Callable[[T], bool],
    *,
    pause: float,
    max_pause: float | None = None,
    clock: Callable[[], float] = monotonic,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Call `read` until its result is done, or until `timeout` seconds have passed; return the last result.

    The caller tests the result, since only the caller can say what was not done in time. Pauses as in `retry_until`.
    """
    until, pauses = clock() + timeout, _pauses(pause, max_pause)
    while True:
        result = await read()
        if is_done(result) or clock() > until:
            return result
        await sleep(next(pauses))


def _pauses(pause: float, max_pause: float | None) -> Iterator[float]:
    while True:
        yield jitter(pause)
        pause = pause if max_pause is None else min(2 * pause, max_pause)
