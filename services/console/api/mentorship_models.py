"""What the console reads of mentorships, of the ledger, and of what to do next."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.console.api.models import ApiModel


class Goal(ApiModel):
    """A level to reach."""

    framework: str
    indicator: str
    level: int
    target: int
    due_on: date
    reached: int
    confirmed: int | None = None
    confirmed_on: date | None = None


class Meeting(ApiModel):
    """A meeting of a mentor with one or several learners."""

    id: UUID
    state: str
    on: date
    minutes: int
    learners: int = 1


class HealthPart(ApiModel):
    """One part of the health of a mentorship."""

    part: str
    points: int
    of: int
    reason: str
    known: bool = True


class Mentorship(ApiModel):
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


class MeasuredLevel(ApiModel):
    """A level as an assessment measured it."""

    on: date
    level: int


class LedgerEntry(ApiModel):
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
    before: MeasuredLevel | None = None
    after: MeasuredLevel | None = None
    confirmed_hundredths: int | None = None


class LedgerFilter(NamedTuple):
    """Which lines of a ledger: of a cluster on either side, of an indicator, of a time."""

    consortium_id: UUID
    cluster_id: UUID | None = None
    framework: str | None = None
    indicator: str | None = None
    since: date | None = None
    until: date | None = None


class DownstreamEntry(ApiModel):
    """A line by which a cluster's knowledge went on; `depth` 1 is from the cluster itself."""

    depth: int
    line: LedgerEntry


class DownstreamEntries(ApiModel):
    """All of them."""

    items: list[DownstreamEntry]


class Need(ApiModel):
    """From a gap to a new level."""

    cluster_id: UUID
    framework: str
    indicator: str
    target: int
    priority: int
    first: MeasuredLevel | None = None
    level: int
    provisional: int
    gap: int
    done: list[LedgerEntry]


class NeedList(ApiModel):
    """All that clusters want to reach."""

    items: list[Need]


class JoinRecommendation(ApiModel):
    """An activity to come that would help a cluster."""

    cluster_id: UUID
    activity_id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    reason: str


class AskRecommendation(ApiModel):
    """Something that a cluster should ask others for."""

    cluster_id: UUID
    framework: str
    indicator: str
    able: list[UUID]
    reason: str


class WhiteSpot(ApiModel):
    """What three clusters or more need and nobody offers."""

    framework: str
    indicator: str
    needing: list[UUID]
    levels: int
    able: list[UUID]


class Recommendations(ApiModel):
    """What clusters should do next."""

    join: list[JoinRecommendation]
    ask: list[AskRecommendation]
    white_spots: list[WhiteSpot]
