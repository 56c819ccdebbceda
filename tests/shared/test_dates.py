"""Days and times have one form and limits that PostgreSQL, its driver, JSON and Python carry alike."""

import json
from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.dates import EARLIEST_DAY, EARLIEST_TIME, LATEST_DAY, LATEST_TIME, Day, PartialDay, Time

_day, _time, _partial_day = TypeAdapter(Day), TypeAdapter(Time), TypeAdapter(PartialDay)


@pytest.mark.parametrize("day", [EARLIEST_DAY, date(2024, 2, 29), LATEST_DAY])
def test_a_day_within_the_limits_is_read_from_every_edge(day: date) -> None:
    assert _day.validate_python(day) == day
    assert _day.validate_strings(day.isoformat()) == day
    assert _day.validate_json(json.dumps(day.isoformat()), strict=True) == day


@pytest.mark.parametrize(
    "value",
    [
        *("0", "-0", "-86400", "1782604800", "1782604800000", True, 1.5),
        *("0001-01-01", "0026-12-15", "1899-12-31", "2201-01-01", "9999-12-31", "10000-01-01"),
        *("infinity", "-infinity", "2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "0000-01-01"),
        *("15.12.2026", "2026-1-5", "20260105", "2026-W01-1", "24-12-15", " 2026-01-05", "2026-01-05 ", ""),
        *("2026-01-05T00:00:00", "2026-01-05T00:00:00Z", "٢٠٢٦-٠١-٠٥", "２０２６-01-05", "2026\u201001\u201005"),  # noqa: RUF001  they are meant
    ],
)
def test_everything_else_is_no_day(value: object) -> None:
    with pytest.raises(ValidationError):
        _day.validate_python(value)
    with pytest.raises(ValidationError):
        _day.validate_json(json.dumps(value))


@pytest.mark.parametrize("number", [0, -86400, 1782604800, 1782604800000])
def test_a_number_is_neither_day_nor_time(number: int) -> None:
    for adapter in (_day, _time):
        with pytest.raises(ValidationError):
            adapter.validate_python(number)
        with pytest.raises(ValidationError):
            adapter.validate_json(str(number))


def test_a_time_is_no_day() -> None:
    with pytest.raises(ValidationError):
        _day.validate_python(datetime(2026, 1, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["2026-01-05T12:30:00Z", "2026-01-05t12:30:00.123456+02:00", "2026-01-05 12:30:00-01:00"]
)
def test_a_time_in_the_format_of_rfc_3339_is_read(text: str) -> None:
    assert _time.validate_python(text) == datetime.fromisoformat(text.upper())
    assert _time.validate_json(json.dumps(text), strict=True) == datetime.fromisoformat(text.upper())


@pytest.mark.parametrize("time", [EARLIEST_TIME, LATEST_TIME])
def test_the_limits_of_times_are_within_them(time: datetime) -> None:
    assert _time.validate_python(time) == time


@pytest.mark.parametrize(
    "value",
    [
        *("1796065687", "0", "-1", 1.5, "2026-01-05", "2026-01-05T12:30Z", "2026-01-05T12:30:00"),
        *("0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        *("infinity", "2026-02-30T00:00:00Z", "2026-01-05T25:00:00Z", "0001-01-01T00:00:00+14:00", ""),
    ],
)
def test_everything_else_is_no_time(value: object) -> None:
    with pytest.raises(ValidationError):
        _time.validate_python(value)


@pytest.mark.parametrize("text", ["2017", "2017-06", "2017-06-29", "1900", "2200-12"])
def test_a_partial_day_is_a_year_a_month_or_a_day(text: str) -> None:
    assert _partial_day.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    ["0000", "0026", "9999", "9999-99-99", "2026-13", "2026-00", "2026-02-30", "201", "2017-6", "٢٠١٧", "20170629"],
)
def test_an_impossible_partial_day_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        _partial_day.validate_python(text)
