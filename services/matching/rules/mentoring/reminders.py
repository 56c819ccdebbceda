"""When a mentorship is reminded of itself: when it is quiet, and when its sides are asked how it goes."""

from datetime import date, timedelta

REMINDER_DAYS = (30, 60, 90)
"""After how many quiet days both sides are reminded."""
GRACE_DAYS = 7
"""Days from the last reminder to the end."""
FIRST_SURVEY_DAY = 30
"""Days after the start of the first survey."""
SURVEY_INTERVAL_DAYS = 60
CLOSING_SURVEY = 0
"""Stands for the survey at the end, which has no day."""


def due_reminder(quiet: int, nudged: int) -> int | None:
    """The reminder that is due after so many quiet days, if one is, with the last one sent (0 if none)."""
    due = [days for days in REMINDER_DAYS if nudged < days <= quiet]
    return due[-1] if due else None


def is_abandoned(quiet: int, nudged: int) -> bool:
    """Whether it was quiet for so long that a mentorship which had its last reminder ends."""
    return nudged == REMINDER_DAYS[-1] and quiet >= REMINDER_DAYS[-1] + GRACE_DAYS


def closing_date(last_sign: date, nudged: int) -> date | None:
    """The day on which it ends if it stays quiet, once the last reminder was sent."""
    return last_sign + timedelta(days=REMINDER_DAYS[-1] + GRACE_DAYS) if nudged == REMINDER_DAYS[-1] else None


def survey_days(running: int) -> list[int]:
    """Days after the start on which the surveys of a mentorship were due that has run for so many days."""
    return list(range(FIRST_SURVEY_DAY, running + 1, SURVEY_INTERVAL_DAYS))
