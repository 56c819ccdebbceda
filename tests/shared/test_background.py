import asyncio
from collections.abc import Collection
from uuid import UUID

import pytest
import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from shared.background import Items, count_errors, every, poll_until, retry_until


class Time:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Time:
    return Time()


def _within_jitter(pauses: list[float], nominal: list[float]) -> bool:
    return all(0.5 * middle <= pause < 1.5 * middle for pause, middle in zip(pauses, nominal, strict=True))


class Work:
    """Gives one outcome after another, raising those that are errors; then it ends the loop."""

    def __init__(self, *outcomes: float | Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self) -> float | None:
        if self.calls == len(self._outcomes):
            raise asyncio.CancelledError
        self.calls += 1
        outcome = self._outcomes[self.calls - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_a_loop_calls_its_work_at_once_and_after_each_pause(clock: Time) -> None:
    work = Work(None, None)
    with pytest.raises(asyncio.CancelledError):
        await every(10, work, job="expiry", sleep=clock.sleep)
    assert work.calls == 2
    assert _within_jitter(clock.pauses, [10, 10])


async def test_work_may_say_when_it_is_due_again(clock: Time) -> None:
    with pytest.raises(asyncio.CancelledError):
        await every(10, Work(0.0, 2.5), job="expiry", sleep=clock.sleep)
    assert clock.pauses == [0.0, 2.5]


@pytest.mark.parametrize("error", [OperationalError("SELECT", {}, Exception()), OSError("away"), TimeoutError()])
async def test_a_loop_survives_an_error_of_the_storage_and_logs_it(error: Exception, clock: Time) -> None:
    work = Work(error, None)
    with structlog.testing.capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await every(10, work, job="expiry", sleep=clock.sleep, service="members")
    assert work.calls == 2
    assert _within_jitter(clock.pauses, [10, 10])
    assert [(log["event"], log["reason"], log["service"]) for log in logs] == [
        ("expiry failed, retrying", repr(error), "members")
    ]


async def test_a_loop_survives_any_other_error_counts_it_and_backs_off(clock: Time) -> None:
    counts = count_errors()
    work = Work(*[ValueError("a bug") for _ in range(9)], None)
    with structlog.testing.capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await every(10, work, job="expiry", sleep=clock.sleep)
    assert work.calls == 10
    assert _within_jitter(clock.pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 10])
    assert counts == {"expiry": 9}
    assert {(log["event"], log["log_level"]) for log in logs} == {("expiry failed, retrying", "error")}


async def test_an_error_of_the_storage_is_not_counted(clock: Time) -> None:
    counts = count_errors()
    with pytest.raises(asyncio.CancelledError):
        await every(10, Work(OSError("away")), job="expiry", sleep=clock.sleep)
    assert counts == {"expiry": 0}


GOOD, BAD = UUID(int=1), UUID(int=2)


class Poisoned:
    """Items that are all due until they are done; BAD fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.due_items = [BAD, GOOD]
        self.attempts: list[UUID] = []

    async def due(self, excluded: Collection[UUID]) -> list[UUID]:
        return [item for item in self.due_items if item not in excluded][:1]

    async def work(self, item: UUID) -> None:
        self.attempts.append(item)
        if item == BAD:
            raise self.error
        self.due_items.remove(item)


async def test_an_item_that_fails_is_set_aside_and_delays_no_other(clock: Time) -> None:
    counts = count_errors()
    items, poisoned = Items("expiry", pause=10, clock=clock), Poisoned(ValueError("-infinity"))
    await items.work_off(poisoned.due, poisoned.work)
    assert (poisoned.attempts, poisoned.due_items) == ([BAD, GOOD], [BAD])
    assert items.set_aside() == {BAD}
    await items.work_off(poisoned.due, poisoned.work)
    assert poisoned.attempts == [BAD, GOOD], "it is not tried again before its pause is over"
    for wait in (15, 30, 60):
        await clock.sleep(wait)
        await items.work_off(poisoned.due, poisoned.work)
    assert (poisoned.attempts, counts) == ([BAD, GOOD, BAD, BAD, BAD], {"expiry": 4})
    await clock.sleep(39)
    assert items.set_aside() == {BAD}, "the pauses double"


async def test_an_item_that_is_mended_is_done_and_forgotten(clock: Time) -> None:
    items, poisoned = Items("expiry", pause=10, clock=clock), Poisoned(ValueError("-infinity"))
    await items.work_off(poisoned.due, poisoned.work)
    await clock.sleep(15)

    async def mended(item: UUID) -> None:
        poisoned.due_items.remove(item)

    await items.work_off(poisoned.due, mended)
    assert (poisoned.due_items, items.set_aside()) == ([], frozenset())


@pytest.mark.parametrize("error", [OSError("away"), DBAPIError("SELECT", {}, Exception(), connection_invalidated=True)])
async def test_the_absence_of_the_storage_is_no_items_fault(error: Exception, clock: Time) -> None:
    items, poisoned = Items("expiry", clock=clock), Poisoned(error)
    with pytest.raises(type(error)):
        await items.work_off(poisoned.due, poisoned.work)
    assert (poisoned.attempts, items.set_aside()) == ([BAD], frozenset())


async def test_a_wake_during_the_work_ends_the_pause_after_it() -> None:
    wake, calls = asyncio.Event(), 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise asyncio.CancelledError
        wake.set()

    with pytest.raises(asyncio.CancelledError):
        await every(3600, work, job="inbox", wake=wake)
    assert calls == 3


async def test_a_loop_that_is_not_woken_goes_on_after_its_pause() -> None:
    work = Work(0.001, 0.001)
    with pytest.raises(asyncio.CancelledError):
        await every(3600, work, job="inbox", wake=asyncio.Event())
    assert work.calls == 2


async def test_a_retry_returns_the_first_result(clock: Time) -> None:
    work = Work(OSError(), OSError(), 7.0)
    assert await retry_until(60, work, OSError, pause=1, clock=clock, sleep=clock.sleep) == 7.0
    assert _within_jitter(clock.pauses, [1, 1])


async def test_a_retry_raises_the_error_after_the_deadline(clock: Time) -> None:
    work = Work(*[OSError(str(number)) for number in range(100)])
    with pytest.raises(OSError, match=r"^\d+$") as raised:
        await retry_until(10, work, (OSError, LookupError), pause=1, clock=clock, sleep=clock.sleep)
    assert clock.now > 10
    assert sum(clock.pauses[:-1]) <= 10
    assert str(raised.value) == str(work.calls - 1)


async def test_a_retry_leaves_other_errors_alone(clock: Time) -> None:
    with pytest.raises(ValueError, match="a bug"):
        await retry_until(60, Work(ValueError("a bug")), OSError, pause=1, clock=clock, sleep=clock.sleep)
    assert clock.pauses == []


async def test_a_poll_returns_the_first_result_that_is_done(clock: Time) -> None:
    result = await poll_until(
        60, Work(1.0, 2.0, 3.0), lambda number: number == 3.0, pause=0.1, clock=clock, sleep=clock.sleep
    )
    assert result == 3.0
    assert _within_jitter(clock.pauses, [0.1, 0.1])


async def test_a_poll_returns_the_last_result_after_the_deadline(clock: Time) -> None:
    work = Work(*[float(number) for number in range(100)])
    result = await poll_until(10, work, lambda _: False, pause=1, clock=clock, sleep=clock.sleep)
    assert clock.now > 10
    assert result == work.calls - 1


async def test_pauses_double_up_to_their_maximum(clock: Time) -> None:
    work = Work(None, None, None, None, 1.0)
    await poll_until(60, work, lambda number: number is not None, pause=1, max_pause=4, clock=clock, sleep=clock.sleep)
    assert _within_jitter(clock.pauses, [1, 2, 4, 4])
