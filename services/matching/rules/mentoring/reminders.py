"""When a mentorship without activity is reminded and ended, and when its sides get surveys."""

from datetime import date, timedelta

REMINDER_DAYS = (30, 60, 90)
"""Days without activity after which both sides are reminded."""
GRACE_DAYS = 7
"""Days from the last reminder to the end."""
FIRST_SURVEY_DAY = 30
"""Days after the start."""
SURVEY_INTERVAL_DAYS = 60
CLOSING_SURVEY = 0
"""Stands for the survey at the end, in place of its day."""


def due_reminder(quiet_days: int, last_reminder: int) -> int | None:
    """The reminder that is due, as its number of days; None if none is. `last_reminder` is 0 before the first."""
    due = [days for days in REMINDER_DAYS if last_reminder < days <= quiet_days]
    return due[-1] if due else None


def is_abandoned(quiet_days: int, last_reminder: int) -> bool:
    """Whether a mentorship had its last reminder and no activity in the days of grace, so that it ends."""
    return last_reminder == REMINDER_DAYS[-1] and quiet_days >= REMINDER_DAYS[-1] + GRACE_DAYS


def closing_date(last_activity: date, last_reminder: int) -> date | None:
    """The day on which a mentorship ends without activity; None before the last reminder."""
    if last_reminder != REMINDER_DAYS[-1]:
        return None
    return last_activity + timedelta(days=REMINDER_DAYS[-1] + GRACE_DAYS)


def survey_days(running_days: int) -> list[int]:
    """The days after the start on which surveys were due, in a mentorship that has run for so many days."""
    return list(range(FIRST_SURVEY_DAY, running_days + 1, SURVEY_INTERVAL_DAYS))
