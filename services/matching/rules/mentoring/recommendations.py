"""Recommendations for each cluster's gaps, and the white spots of a consortium."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.gaps import Gap
from shared.wording import counted, listed

WHITE_SPOT_CLUSTERS = 3
"""A skill that no activity teaches is a white spot if at least this many clusters have a gap in it."""


class UpcomingActivity(NamedTuple):
    """An activity in the future; `teaches` has the levels it adds by skill."""

    id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    teaches: Mapping[Skill, int]


class ActivityRecommendation(NamedTuple):
    """An activity that a cluster should join; `worth` is the sum of the levels of its gaps closed, times priority."""

    cluster_id: UUID
    activity: UpcomingActivity
    worth: int
    reason: str


class RequestRecommendation(NamedTuple):
    """A skill that a cluster should request help in; `able` are the clusters above it, the highest level first."""

    cluster_id: UUID
    skill: Skill
    worth: int
    able: Sequence[UUID]
    reason: str


class WhiteSpot(NamedTuple):
    """A skill with gaps that no upcoming activity teaches; `able` could host one, the highest level first."""

    skill: Skill
    needing: Sequence[UUID]
    levels: int
    able: Sequence[UUID]


Levels = Mapping[UUID, Mapping[Skill, int]]


def recommend_activities(gaps: Sequence[Gap], activities: Sequence[UpcomingActivity]) -> list[ActivityRecommendation]:
    """For each cluster the activities of others that close gaps, the highest worth first."""
    open_gaps = defaultdict[UUID, list[Gap]](list)
    for gap in gaps:
        if gap.missing:
            open_gaps[gap.cluster_id].append(gap)
    recommendations = [
        recommendation
        for cluster_id, gaps_of_cluster in open_gaps.items()
        for activity in activities
        if activity.host_id != cluster_id
        and (recommendation := _recommend(cluster_id, gaps_of_cluster, activity)).worth
    ]
    return sorted(
        recommendations, key=lambda entry: (entry.cluster_id, -entry.worth, entry.activity.starts_on, entry.activity.id)
    )


def _recommend(cluster_id: UUID, gaps: Sequence[Gap], activity: UpcomingActivity) -> ActivityRecommendation:
    closed = [(gap, min(gap.missing, activity.teaches.get(gap.skill, 0))) for gap in gaps]
    closed = [(gap, levels) for gap, levels in closed if levels]
    texts = [f"{gap.skill.text} ({counted(levels, 'level')} of the {gap.missing} missing)" for gap, levels in closed]
    worth = sum(levels * gap.target.priority for gap, levels in closed)
    return ActivityRecommendation(cluster_id, activity, worth, f"It teaches {listed(texts)}.")


def recommend_requests(
    gaps: Sequence[Gap], activities: Sequence[UpcomingActivity], levels: Levels
) -> list[RequestRecommendation]:
    """For each cluster the gaps that no activity of others teaches and some cluster could, the largest first."""
    recommendations = []
    for gap in gaps:
        taught = any(activity.host_id != gap.cluster_id and activity.teaches.get(gap.skill) for activity in activities)
        able = _above(gap.skill, levels, gap.provisional, gap.cluster_id)
        if gap.missing and not taught and able:
            clusters = "One cluster stands" if len(able) == 1 else f"{len(able)} clusters stand"
            reason = f"No activity to come teaches {gap.skill.text}. {clusters} above you in it."
            worth = gap.missing * gap.target.priority
            recommendations.append(RequestRecommendation(gap.cluster_id, gap.skill, worth, able, reason))
    return sorted(recommendations, key=lambda entry: (entry.cluster_id, -entry.worth, entry.skill))


def white_spots(gaps: Sequence[Gap], activities: Sequence[UpcomingActivity], levels: Levels) -> list[WhiteSpot]:
    """The white spots, those with the most missing levels first."""
    taught = {skill for activity in activities for skill, gain in activity.teaches.items() if gain}
    open_gaps = defaultdict[Skill, list[Gap]](list)
    for gap in gaps:
        if gap.missing and gap.skill not in taught:
            open_gaps[gap.skill].append(gap)
    spots = [
        WhiteSpot(
            skill,
            sorted(gap.cluster_id for gap in gaps_of_skill),
            sum(gap.missing for gap in gaps_of_skill),
            _above(skill, levels, min(gap.provisional for gap in gaps_of_skill)),
        )
        for skill, gaps_of_skill in open_gaps.items()
        if len(gaps_of_skill) >= WHITE_SPOT_CLUSTERS
    ]
    return sorted(spots, key=lambda spot: (-spot.levels, spot.skill))


def _above(skill: Skill, levels: Levels, level: int, excluded: UUID | None = None) -> list[UUID]:
    """The clusters above a level in a skill, the highest first, then by id."""
    level_of = [(by_skill.get(skill, 0), id) for id, by_skill in levels.items() if id != excluded]
    return [id for own, id in sorted(level_of, key=lambda entry: (-entry[0], entry[1])) if own > level]
