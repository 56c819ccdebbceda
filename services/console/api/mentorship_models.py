"""What the console reads of mentorships, of the ledger, and of what to do next."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.console.api.models import Answer


class Goal(Answer):
    """A level to reach."""

    framework: str
    indicator: str
    level: int
    target: int
    due_on: date
    reached: int
    confirmed: int | None = None
    confirmed_on: date | None = None


class Meeting(Answer):
    """A meeting of a mentor with one or several learners."""

    id: UUID
    state: str
    on: date
    minutes: int
    learners: int = 1


class HealthPart(Answer):
    """One part of the health of a mentorship."""

    part: str
    points: int
    of: int
    reason: str
    known: bool = True


class Mentorship(Answer):
    """Two clusters that work together."""

    id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID
    state: str
    every_days: int
    ends_on: date
    agreement: str
    mentor_confirmed_at: datetime | None = None
    learner_confirmed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    health: int | None = None
    health_parts: list[HealthPart]
    next_step: str
    closes_on: date | None = None
    goals: list[Goal]
    meetings: list[Meeting]
    outcome: int | None = None
    version: int


class Reading(Answer):
    """A level as an assessment measured it."""

    on: date
    level: int


class Line(Answer):
    """One cluster taught another something."""

    source_id: UUID
    by: str
    state: str
    teacher_id: UUID
    learner_id: UUID
    framework: str
    indicator: str
    began_on: date
    ended_on: date | None = None
    planned: int
    reported: int
    before: Reading | None = None
    after: Reading | None = None
    confirmed_hundredths: int | None = None


class Wanted(NamedTuple):
    """Which lines of a ledger: of a cluster on either side, of an indicator, of a time."""

    consortium_id: UUID
    cluster_id: UUID | None = None
    framework: str | None = None
    indicator: str | None = None
    since: date | None = None
    until: date | None = None


class Step(Answer):
    """A line by which a cluster's knowledge went on; `depth` 1 is from the cluster itself."""

    depth: int
    line: Line


class Steps(Answer):
    """All of them."""

    items: list[Step]


class Need(Answer):
    """From a gap to a new level."""

    cluster_id: UUID
    framework: str
    indicator: str
    target: int
    priority: int
    first: Reading | None = None
    level: int
    provisional: int
    gap: int
    done: list[Line]


class Needs(Answer):
    """All that clusters want to reach."""

    items: list[Need]


class Join(Answer):
    """An activity to come that would help a cluster."""

    cluster_id: UUID
    activity_id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    reason: str


class Ask(Answer):
    """Something that a cluster should ask others for."""

    cluster_id: UUID
    framework: str
    indicator: str
    able: list[UUID]
    reason: str


class WhiteSpot(Answer):
    """What three clusters or more need and nobody offers."""

    framework: str
    indicator: str
    needing: list[UUID]
    levels: int
    able: list[UUID]


class Recommendations(Answer):
    """What clusters should do next."""

    join: list[Join]
    ask: list[Ask]
    white_spots: list[WhiteSpot]
