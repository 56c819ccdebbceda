"""Queries for the ledger. `within` limits them to one consortium (None: all)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute

from services.matching.rules.inputs.profile import (
    Skill,
)
from services.matching.rules.mentoring.ledger import LedgerLine, LevelHistory, Reading, confirm_lines
from services.matching.tables import Activity, Cluster, Goal, Measurement, Mentorship, Pair
from services.matching.tables import Gain as GainRow
from shared.db import ReadSession

MENTORSHIP = "mentorship"


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Conditions on lines of the ledger; None matches all. Lines without an end are dated by their beginning."""

    cluster_id: UUID | None = None
    teacher_id: UUID | None = None
    learner_id: UUID | None = None
    framework: str | None = None
    indicator: str | None = None
    since: date | None = None
    until: date | None = None

    def matches(self, line: LedgerLine) -> bool:
        """Whether a line meets all conditions."""
        on = line.ended_on or line.began_on
        return (
            self.cluster_id in {None, line.teacher_id, line.learner_id}
            and self.teacher_id in {None, line.teacher_id}
            and self.learner_id in {None, line.learner_id}
            and self.framework in {None, line.skill.framework}
            and self.indicator in {None, line.skill.indicator}
            and (self.since is None or on >= self.since)
            and (self.until is None or on <= self.until)
        )


async def ledger_lines(db: ReadSession, within: UUID | None) -> list[LedgerLine]:
    """All lines with their confirmed gains, in the order of their days."""
    lines = [*await _mentorship_lines(db, within), *await _activity_lines(db, within)]
    return confirm_lines(lines, await level_history(db, within))


async def level_history(db: ReadSession, within: UUID | None) -> LevelHistory:
    """Levels by cluster and skill, in order of days. Of several assessments of one day the newest version counts."""
    query = select(Measurement).join(Cluster, Cluster.id == Measurement.cluster_id)
    query = query.order_by(Measurement.assessed_on, Measurement.version)
    levels = defaultdict[tuple[UUID, Skill], dict[date, int]](dict)
    for row in await db.scalars(query.where(in_consortium(Cluster.consortium_id, within))):
        levels[row.cluster_id, Skill(row.framework, row.indicator)][row.assessed_on] = row.level
    return {key: [Reading(on, level) for on, level in by_day.items()] for key, by_day in levels.items()}


async def cluster_names(db: ReadSession, within: UUID | None) -> dict[UUID, str]:
    """Names of clusters by id."""
    rows = await db.execute(select(Cluster.id, Cluster.name).where(in_consortium(Cluster.consortium_id, within)))
    return {row.id: row.name for row in rows}


def in_consortium(consortium: InstrumentedAttribute[UUID], within: UUID | None) -> ColumnElement[bool]:
    """The condition that a column is `within`; always true if that is None."""
    return true() if within is None else consortium == within


async def _mentorship_lines(db: ReadSession, within: UUID | None) -> Iterator[LedgerLine]:
    query = select(Goal, Mentorship).join(Mentorship, Mentorship.id == Goal.mentorship_id)
    query = query.join(Pair, Pair.id == Mentorship.id).where(Mentorship.started_at.is_not(None))
    return (
        LedgerLine(
            source_id=mentorship.id,
            by=MENTORSHIP,
            state=mentorship.state,
            teacher_id=mentorship.pair.mentor_id,
            learner_id=mentorship.pair.learner_id,
            skill=Skill(goal.framework, goal.indicator),
            began_on=(mentorship.started_at or mentorship.last_activity_at).date(),
            ended_on=mentorship.ended_at.date() if mentorship.ended_at else None,
            planned=goal.target - goal.level,
            reported=max(goal.reached - goal.level, 0),
        )
        for goal, mentorship in await db.execute(query.where(in_consortium(Pair.consortium_id, within)))
    )


async def _activity_lines(db: ReadSession, within: UUID | None) -> Iterator[LedgerLine]:
    """Gains of the host itself are not lines: it taught others."""
    query = select(GainRow, Activity).join(Activity, Activity.id == GainRow.activity_id)
    query = query.where(GainRow.cluster_id != Activity.host_id)
    return (
        LedgerLine(
            source_id=activity.id,
            by=activity.kind,
            state="completed",
            teacher_id=activity.host_id,
            learner_id=gain.cluster_id,
            skill=Skill(gain.framework, gain.indicator),
            began_on=activity.starts_on or gain.ended_on,
            ended_on=gain.ended_on,
            planned=gain.gain,
            reported=gain.gain,
        )
        for gain, activity in await db.execute(query.where(in_consortium(Activity.consortium_id, within)))
    )
