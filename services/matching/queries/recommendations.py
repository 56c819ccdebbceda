"""Queries for gaps and recommendations. `within` limits them to one consortium (None: all)."""

from collections import defaultdict
from datetime import date
from uuid import UUID

from sqlalchemy import select

from services.matching.queries.ledger import in_consortium, ledger_lines, level_history
from services.matching.rules.inputs.profile import (
    MeasuredLevel,
    Skill,
    TargetLevel,
    TrainingGain,
    provisional_levels_by_cluster,
)
from services.matching.rules.mentoring.gaps import Gap, trace_gaps
from services.matching.rules.mentoring.recommendations import Levels, UpcomingActivity
from services.matching.tables import Activity, Archived, Cluster, Gain, Level, Target
from shared.db import ReadSession


async def gaps(db: ReadSession, within: UUID | None) -> tuple[list[Gap], Levels]:
    """The gaps of all clusters, and their provisional levels; without archived clusters."""
    archived = set(await db.scalars(select(Archived.cluster_id)))
    provisional = await _provisional_levels(db, within)
    levels = {id: by_skill for id, by_skill in provisional.items() if id not in archived}
    query = select(Target).join(Cluster, Cluster.id == Target.cluster_id).where(Cluster.id.not_in(archived))
    targets = defaultdict[UUID, dict[Skill, TargetLevel]](dict)
    for row in await db.scalars(query.where(in_consortium(Cluster.consortium_id, within))):
        targets[row.cluster_id][Skill(row.framework, row.indicator)] = TargetLevel(row.level, row.priority)
    return trace_gaps(targets, await level_history(db, within), levels, await ledger_lines(db, within)), levels


async def upcoming_activities(db: ReadSession, within: UUID | None, today: date) -> list[UpcomingActivity]:
    """Activities that have not started."""
    query = select(Activity).where(~Activity.completed, Activity.starts_on >= today).order_by(Activity.id)
    return [
        UpcomingActivity(
            id=row.id,
            kind=row.kind,
            title=row.title or "",
            host_id=row.host_id,
            starts_on=row.starts_on or today,
            teaches={Skill(taught["framework"], taught["indicator"]): taught["gain"] for taught in row.teaches},
        )
        for row in await db.scalars(query.where(in_consortium(Activity.consortium_id, within)))
    ]


async def _provisional_levels(db: ReadSession, within: UUID | None) -> dict[UUID, dict[Skill, int]]:
    """Levels with the gains of activities that no assessment has confirmed yet."""
    levels = select(Level).join(Cluster, Cluster.id == Level.cluster_id)
    gains = select(Gain).join(Cluster, Cluster.id == Gain.cluster_id)
    return provisional_levels_by_cluster(
        [
            (
                row.cluster_id,
                Skill(row.framework, row.indicator),
                MeasuredLevel(row.level, row.assessed_on, row.scale_max),
            )
            for row in await db.scalars(levels.where(in_consortium(Cluster.consortium_id, within)))
        ],
        [
            (row.cluster_id, TrainingGain(Skill(row.framework, row.indicator), row.gain, row.ended_on))
            for row in await db.scalars(gains.where(in_consortium(Cluster.consortium_id, within)))
        ],
    )
