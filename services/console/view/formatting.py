"""Codes, points and dates as text of the pages."""

from datetime import date, datetime

from shared import wording


def title(code: str) -> str:
    """`market-foresight` as `Market foresight`."""
    return capitalized(code.replace("-", " ").replace("_", " ").strip())


def capitalized(text: str) -> str:
    """The text with a capital first letter and the rest unchanged."""
    return text[:1].upper() + text[1:]


def points(hundredths: int) -> str:
    """Hundredths of a point as points: `71.3`."""
    return f"{hundredths / 100:.1f}"


def date_time(at: datetime) -> str:
    """`28 June 2017, 09:30`."""
    return f"{wording.day(at)}, {at:%H:%M}"


def partial_date(text: str) -> str:
    """A year, a month or a day: `2006`, `July 2006` or `20 July 2006`. Other text is returned unchanged."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return text
    try:
        on = date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)  # noqa: PLR2004  year, month, day
    except ValueError:
        return text
    return wording.day(on) if len(parts) > 2 else wording.month(on)  # noqa: PLR2004  as above
