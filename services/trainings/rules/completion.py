"""When an activity can be completed, and which clusters gained what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.errors import Conflict, Invalid

MAX_GAINS = 200
"""Maximum of clusters and of gains in one activity: all of them go into one event, which has at most 64 kB."""


@dataclass(frozen=True, slots=True)
class TaughtIndicator:
    """An indicator that is taught, with the planned gain in levels."""

    framework: str
    indicator: str
    gain: int


@dataclass(frozen=True, slots=True)
class Gain:
    """The levels that one cluster gained in one indicator."""

    cluster_id: UUID
    framework: str
    indicator: str
    gain: int


def gains(attended: Sequence[UUID], host: UUID, taught: Sequence[TaughtIndicator]) -> list[Gain]:
    """The gains of all clusters that attended. The host teaches, so it gains nothing."""
    return [
        Gain(cluster, indicator.framework, indicator.indicator, indicator.gain)
        for cluster in attended
        if cluster != host
        for indicator in taught
    ]


def check_cluster_count(registered: int, taught: int) -> None:
    """Refuse a registration if the completion event would be too large.

    Raises:
        Conflict: there would be more than `MAX_GAINS` clusters or gains.
    """
    if (registered + 1) * max(taught, 1) > MAX_GAINS:
        message = f"The activity cannot teach {taught} indicators to more than {registered} clusters."
        raise Conflict("too-many-clusters", message)


def check_not_over(ends_on: date, today: date) -> None:
    """Refuse a registration after the last day.

    Raises:
        Conflict: the activity ended before `today`.
    """
    if ends_on < today:
        message = f"The activity ended on {ends_on}. Only a coordinator may still register a cluster."
        raise Conflict("over", message)


def check_begun(starts_on: date, today: date) -> None:
    """Refuse attendance and completion before the first day.

    Raises:
        Conflict: the activity begins after `today`.
    """
    if today < starts_on:
        raise Conflict(
            "not-begun", f"The activity begins on {starts_on}; attendance cannot be recorded before that day."
        )


def check_attendance_recorded(missing: Sequence[str]) -> None:
    """Refuse a completion without the attendance of all clusters.

    Raises:
        Conflict: it names the clusters in `missing`.
    """
    if missing:
        message = f"Record the attendance of all clusters first. Attendance is missing for: {', '.join(missing)}."
        raise Conflict("attendance-missing", message)


def check_attendance_lists(present: Sequence[UUID], absent: Sequence[UUID], confirmed: Sequence[UUID]) -> None:
    """Refuse contradictory attendance lists.

    Raises:
        Invalid: a cluster is on both lists, or is on a list and has no seats.
    """
    if set(present) & set(absent):
        raise Invalid("present-and-absent", "A cluster cannot be both present and absent.", field="absent")
    for field, clusters in (("present", present), ("absent", absent)):
        if unknown := sorted(str(cluster) for cluster in set(clusters) - set(confirmed)):
            message = f"These clusters have no confirmed seats: {', '.join(unknown)}."
            raise Invalid("no-seats", message, field=field)
