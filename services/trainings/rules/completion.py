"""When an activity is over, and what it brought to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.errors import Conflict, Invalid

MAX_GAINS = 200
"""Gains of one activity, and clusters, at most: all of them go into one event, which has at most 64 kB."""


@dataclass(frozen=True, slots=True)
class Taught:
    """An indicator that is taught, with the levels it promises."""

    framework: str
    indicator: str
    gain: int


@dataclass(frozen=True, slots=True)
class Gain:
    """What one cluster gained in one indicator."""

    cluster_id: UUID
    framework: str
    indicator: str
    gain: int


def gains(attended: Sequence[UUID], host: UUID, teaches: Sequence[Taught]) -> list[Gain]:
    """What everybody who was there gained. The host teaches, so it gains nothing."""
    return [
        Gain(cluster, one.framework, one.indicator, one.gain)
        for cluster in attended
        if cluster != host
        for one in teaches
    ]


def check_room(registered: int, taught: int) -> None:
    """Refuse one more cluster than the activity can report on.

    Raises:
        Conflict: with one more cluster, its completion would not fit into an event.
    """
    if (registered + 1) * max(taught, 1) > MAX_GAINS:
        message = f"The activity cannot teach {taught} indicators to more than {registered} clusters."
        raise Conflict("too-many-clusters", message)


def check_begun(starts_on: date, today: date) -> None:
    """Refuse to look back at what lies ahead.

    Raises:
        Conflict: nobody can have been there yet.
    """
    if today < starts_on:
        raise Conflict("not-begun", f"The activity begins on {starts_on}; who was there is known afterwards.")


def check_attendance(missing: Sequence[str]) -> None:
    """Refuse to complete what is not known in full.

    Raises:
        Conflict: it is not known whether these clusters, by name, were there.
    """
    if missing:
        message = f"Say first who was there. Attendance is missing for: {', '.join(missing)}."
        raise Conflict("attendance-missing", message)


def check_lists(present: Sequence[UUID], absent: Sequence[UUID], confirmed: Sequence[UUID]) -> None:
    """Refuse an attendance that cannot be.

    Raises:
        Invalid: a cluster is on both lists, or on one without having seats.
    """
    if set(present) & set(absent):
        raise Invalid("present-and-absent", "A cluster cannot be both present and absent.", field="absent")
    for field, named in (("present", present), ("absent", absent)):
        if unknown := sorted(str(one) for one in set(named) - set(confirmed)):
            message = f"These clusters have no confirmed seats: {', '.join(unknown)}."
            raise Invalid("no-seats", message, field=field)
