"""Types of days and times that cross an edge, within limits that every hop can carry.

PostgreSQL, its driver, JSON and Python agree on these limits. Outside them the driver turns the first and the last day
of Python into infinity, which has no day in JSON.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

EARLIEST_DAY = date(1900, 1, 1)
LATEST_DAY = date(2200, 12, 31)
EARLIEST_TIME = datetime(1900, 1, 1, tzinfo=UTC)
LATEST_TIME = datetime(2200, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _day(value: object) -> object:
    """Read text as a day. Pydantic would read a number, also as text, as seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a day has the form 2017-06-29")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is not a day of the calendar") from error


def day_within_limits(day: date) -> date:
    """Refuse a day that a hop cannot carry.

    Raises:
        ValueError
    """
    if not EARLIEST_DAY <= day <= LATEST_DAY:
        raise ValueError(f"a day lies between {EARLIEST_DAY} and {LATEST_DAY}")
    return day


def _time(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a time has the form 2017-06-29T12:30:00Z, with a zone")
    return datetime.fromisoformat(value.upper())


def time_within_limits(time: datetime) -> datetime:
    """Refuse a time without a zone, or that a hop cannot carry.

    Raises:
        ValueError
    """
    if time.tzinfo is None:
        raise ValueError("a time has a zone")
    if not EARLIEST_TIME <= time <= LATEST_TIME:
        raise ValueError(f"a time lies between the years {EARLIEST_TIME.year} and {LATEST_TIME.year}")
    return time


def _partial_day(text: str) -> str:
    year, _, rest = text.partition("-")
    day_within_limits(date.fromisoformat(f"{year}-{rest or '01'}{'' if '-' in rest else '-01'}"))
    return text


Day = Annotated[date, BeforeValidator(_day), AfterValidator(day_within_limits)]
"""A day from 1900-01-01 to 2200-12-31; as text only in the form `2017-06-29`."""

Time = Annotated[datetime, BeforeValidator(_time), AfterValidator(time_within_limits)]
"""A time in the years 1900 to 2200 with a zone; as text in the format of RFC 3339."""

PartialDay = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"), AfterValidator(_partial_day)
]
"""A year, a month or a day, as text: `2017`, `2017-06` or `2017-06-29`. Within the limits of `Day`."""
