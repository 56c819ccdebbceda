"""What of a failing database is an outage: 503 and when to come again, not a mistake of ours."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, InternalError

from shared.web.problems import RETRY_LATER, RETRY_SOON, to_problem


def wrapped(cause: BaseException) -> DBAPIError:
    """As SQLAlchemy hands on what its driver raised."""
    adapted = RuntimeError(str(cause))
    adapted.__cause__ = cause
    return InternalError("SELECT 1", {}, adapted)


@pytest.mark.parametrize(
    ("cause", "status", "seconds"),
    [
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), 503, RETRY_LATER),
        (asyncpg.DiskFullError("no space left"), 503, RETRY_LATER),
        (asyncpg.DeadlockDetectedError("deadlock"), 503, RETRY_SOON),
        (asyncpg.UniqueViolationError("twice"), 409, None),
        (asyncpg.UndefinedTableError("no such table"), 500, None),
    ],
)
def test_an_outage_says_when_to_come_again(cause: Exception, status: int, seconds: int | None) -> None:
    refusal = to_problem(wrapped(cause))
    assert refusal.status == status
    assert refusal.headers.get("Retry-After") == (None if seconds is None else str(seconds))
