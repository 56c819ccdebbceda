"""Background loops, and work that is repeated until a deadline. Pauses have jitter, so that replicas do not meet.

A loop survives every error of its work, and `Items` keeps the items of a loop apart: one that fails delays no other.
Errors other than the absence of the database are counted for the metric `kei_job_errors_total`.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import TypeAlias, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.clock import jitter

RETRYABLE_ERRORS = (SQLAlchemyError, OSError)
"""Errors of the database or the network, and time-outs (TimeoutError is an OSError)."""
_ABSENT = (OSError, PoolTimeout, DisconnectionError)
_SQLSTATES_OF_DATA = ("22", "23", "42")
"""Classes of errors that come back: a value, a constraint, a statement."""
MAX_PAUSE = 60.0
"""Longest pause in seconds of a loop after errors that repeating did not mend."""
MAX_ITEM_PAUSE = 300.0
"""Likewise of an item."""

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[object]]
ErrorCounts: TypeAlias = Counter[str]
"""Number of errors by job."""

_log = structlog.get_logger(__name__)
_counts: ContextVar[ErrorCounts] = ContextVar("_counts")


def count_errors() -> ErrorCounts:
    """Count the errors of jobs that are started in this context from now on; each job begins with 0."""
    counts: ErrorCounts = Counter()
    _counts.set(counts)
    return counts


def record_error(job: str, error: Exception, **log_fields: str) -> None:
    """Log an error of a job that goes on, and count it unless repeating may mend it."""
    if is_transient(error):
        _log.warning(f"{job} failed, retrying", reason=repr(error), **log_fields)
    else:
        _count(job, 1)
        _log.error(f"{job} failed, retrying", reason=repr(error), exc_info=error, **log_fields)


def _count(job: str, number: int) -> None:
    if (counts := _counts.get(None)) is not None:
        counts[job] += number


def is_transient(error: Exception) -> bool:
    """Whether repeating may mend an error: the database or the network is absent, slow or in use."""
    if isinstance(error, DBAPIError):
        return not str(getattr(error.orig, "sqlstate", None) or "").startswith(_SQLSTATES_OF_DATA)
    return isinstance(error, _ABSENT)


def _is_absence(error: Exception) -> bool:
    return isinstance(error, _ABSENT) or (isinstance(error, DBAPIError) and error.connection_invalidated)


async def every(
    seconds: float,
    work: Callable[[], Awaitable[float | None]],
    *,
    job: str,
    wake: asyncio.Event | None = None,
    sleep: Sleep = asyncio.sleep,
    **log_fields: str,
) -> None:
    """Call `work` at once and then again after each pause, until cancelled. Errors are logged.

    After an error that repeating does not mend, which is counted, the pauses double from 1 s to `MAX_PAUSE`.

    Args:
        seconds: pause between two calls, with jitter.
        work: may return the seconds until the next call, instead of the usual pause.
        job: what the loop does, e.g. "label expiry".
        wake: ends a pause early. It is cleared before each call, so that a wake during a call leads to another call.
        sleep: of a loop without `wake`, and after errors; an argument for tests.
        log_fields: further fields of the log message.
    """
    _count(job, 0)
    failures = 0
    while True:
        if wake is not None:
            wake.clear()
        pause = None
        try:
            pause = await work()
            failures = 0
        except Exception as error:  # noqa: BLE001  whatever it is, a loop that ends would end the process
            record_error(job, error, **log_fields)
            if not is_transient(error):
                failures += 1
                await sleep(jitter(min(2.0 ** min(failures - 1, 10), MAX_PAUSE)))
                continue
        await _pause(jitter(seconds) if pause is None else pause, wake, sleep)


async def _pause(seconds: float, wake: asyncio.Event | None, sleep: Sleep) -> None:
    if wake is None:
        await sleep(seconds)
    elif seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()


class Items:
    """The items of a job, kept apart: an item that fails is set aside for a pause, and the others go on.

    Args:
        job: what is done with each item, e.g. "label expiry".
        pause: seconds for which an item is set aside after its first failure; doubled each time, with jitter.
        clock: seconds that never go back; an argument for tests.
    """

    def __init__(self, job: str, *, pause: float = 1.0, clock: Callable[[], float] = monotonic) -> None:
        self._job, self._pause, self._clock = job, pause, clock
        self._failures: dict[UUID, int] = {}
        self._until: dict[UUID, float] = {}

    def set_aside(self) -> frozenset[UUID]:
        """The items whose pause is not over."""
        now = self._clock()
        return frozenset(item for item, until in self._until.items() if until > now)

    async def work_off(
        self,
        due: Callable[[Collection[UUID]], Awaitable[Sequence[UUID]]],
        work: Callable[[UUID], Awaitable[object]],
    ) -> None:
        """Do the work of all due items, each once. An error is logged and counted, and sets its item aside.

        Args:
            due: some of the due items outside a collection; none if there are no more.
            work: of an item, in a transaction of its own.

        Raises:
            SQLAlchemyError, OSError: the database or the network is absent.
        """
        attempted: set[UUID] = set()
        while items := await due(self.set_aside() | attempted):
            for item in items:
                await self._attempt(item, work)
            attempted.update(items)

    async def _attempt(self, item: UUID, work: Callable[[UUID], Awaitable[object]]) -> None:
        try:
            await work(item)
        except Exception as error:
            if _is_absence(error):
                raise
            record_error(self._job, error, item=str(item))
            failures = self._failures[item] = self._failures.get(item, 0) + 1
            self._until[item] = self._clock() + jitter(min(self._pause * 2.0 ** min(failures - 1, 20), MAX_ITEM_PAUSE))
        else:
            self._failures.pop(item, None)
            self._until.pop(item, None)


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
