"""Reading what clusters taught each other and have left to learn; `within` limits it to one consortium."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute

from services.matching.rules.inputs.profile import (
    MeasuredLevel,
    Skill,
    TargetLevel,
    TrainingGain,
    provisional_levels_by_cluster,
)
from services.matching.rules.mentoring import ledger as rules
from services.matching.rules.mentoring.gaps import Gap, trace_gaps
from services.matching.rules.mentoring.ledger import LedgerLine, Reading
from services.matching.rules.mentoring.recommendations import Levels, UpcomingActivity
from services.matching.tables import Activity, Archived, Cluster, Goal, Level, Measurement, Mentorship, Pair, Target
from services.matching.tables import Gain as GainRow
from shared.db import ReadSession

MENTORSHIP = "mentorship"


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which lines of the ledger: of one side or either, of a skill, and that ended or began in a period."""

    cluster_id: UUID | None = None
    teacher_id: UUID | None = None
    learner_id: UUID | None = None
    framework: str | None = None
    indicator: str | None = None
    since: date | None = None
    until: date | None = None

    def has(self, line: LedgerLine) -> bool:
        """Whether a line is one of them."""
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
    """All lines, in the order of their days."""
    taught = [*await _mentorships(db, within), *await _activities(db, within)]
    return rules.confirm_lines(taught, await _history(db, within))


async def cluster_names(db: ReadSession, within: UUID | None) -> dict[UUID, str]:
    """Clusters by their ids."""
    rows = await db.execute(select(Cluster.id, Cluster.name).where(_within(Cluster.consortium_id, within)))
    return {row.id: row.name for row in rows}


async def gaps(db: ReadSession, within: UUID | None) -> tuple[list[Gap], Levels]:
    """What clusters want to reach and what was done about it; and their levels with what was reported since.

    Of clusters that have left there is none of it.
    """
    gone = set(await db.scalars(select(Archived.cluster_id)))
    levels = {id: known for id, known in (await _provisional(db, within)).items() if id not in gone}
    columns = select(Target).join(Cluster, Cluster.id == Target.cluster_id).where(Cluster.id.not_in(gone))
    aims = defaultdict[UUID, dict[Skill, TargetLevel]](dict)
    for row in await db.scalars(columns.where(_within(Cluster.consortium_id, within))):
        aims[row.cluster_id][Skill(row.framework, row.indicator)] = TargetLevel(row.level, row.priority)
    return trace_gaps(aims, await _history(db, within), levels, await ledger_lines(db, within)), levels


async def upcoming_activities(db: ReadSession, within: UUID | None, today: date) -> list[UpcomingActivity]:
    """Activities to come."""
    query = select(Activity).where(~Activity.completed, Activity.starts_on >= today).order_by(Activity.id)
    return [
        UpcomingActivity(
            id=row.id,
            kind=row.kind,
            title=row.title or "",
            host_id=row.host_id,
            starts_on=row.starts_on or today,
            teaches={Skill(one["framework"], one["indicator"]): one["gain"] for one in row.teaches},
        )
        for row in await db.scalars(query.where(_within(Activity.consortium_id, within)))
    ]


def _within(consortium: InstrumentedAttribute[UUID], within: UUID | None) -> ColumnElement[bool]:
    return true() if within is None else consortium == within


async def _mentorships(db: ReadSession, within: UUID | None) -> Iterator[LedgerLine]:
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
            began_on=(mentorship.started_at or mentorship.last_sign_at).date(),
            ended_on=mentorship.ended_at.date() if mentorship.ended_at else None,
            planned=goal.target - goal.level,
            reported=max(goal.reached - goal.level, 0),
        )
        for goal, mentorship in await db.execute(query.where(_within(Pair.consortium_id, within)))
    )


async def _activities(db: ReadSession, within: UUID | None) -> Iterator[LedgerLine]:
    """A host that was there itself taught others, not itself."""
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
        for gain, activity in await db.execute(query.where(_within(Activity.consortium_id, within)))
    )


async def _history(db: ReadSession, within: UUID | None) -> dict[tuple[UUID, Skill], Sequence[Reading]]:
    """Of several assessments of one day the newest version counts."""
    query = select(Measurement).join(Cluster, Cluster.id == Measurement.cluster_id)
    query = query.order_by(Measurement.assessed_on, Measurement.version)
    days = defaultdict[tuple[UUID, Skill], dict[date, int]](dict)
    for row in await db.scalars(query.where(_within(Cluster.consortium_id, within))):
        days[row.cluster_id, Skill(row.framework, row.indicator)][row.assessed_on] = row.level
    return {key: [Reading(on, level) for on, level in known.items()] for key, known in days.items()}


async def _provisional(db: ReadSession, within: UUID | None) -> dict[UUID, dict[Skill, int]]:
    levels = select(Level).join(Cluster, Cluster.id == Level.cluster_id)
    gains = select(GainRow).join(Cluster, Cluster.id == GainRow.cluster_id)
    return provisional_levels_by_cluster(
        [
            (
                row.cluster_id,
                Skill(row.framework, row.indicator),
                MeasuredLevel(row.level, row.assessed_on, row.scale_max),
            )
            for row in await db.scalars(levels.where(_within(Cluster.consortium_id, within)))
        ],
        [
            (row.cluster_id, TrainingGain(Skill(row.framework, row.indicator), row.gain, row.ended_on))
            for row in await db.scalars(gains.where(_within(Cluster.consortium_id, within)))
        ],
    )
