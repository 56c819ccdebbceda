"""What a cluster should do next about its gaps, and what a consortium lacks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.gaps import Gap
from shared.wording import counted, listed

WHITE_SPOT_CLUSTERS = 3
"""So many clusters need something that nobody offers: a white spot."""


class UpcomingActivity(NamedTuple):
    """An activity to come, and by how many levels it raises which skills."""

    id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    teaches: Mapping[Skill, int]


class ActivityRecommendation(NamedTuple):
    """An activity for a cluster: `worth` are the levels of its gaps that it would close, times their priorities."""

    cluster_id: UUID
    offer: UpcomingActivity
    worth: int
    reason: str


class RequestRecommendation(NamedTuple):
    """Something to ask for, since no activity teaches it: who stands above the cluster in it, the highest first."""

    cluster_id: UUID
    skill: Skill
    worth: int
    able: Sequence[UUID]
    reason: str


class WhiteSpot(NamedTuple):
    """A skill that clusters need and no activity teaches; `able` could host one, the highest first."""

    skill: Skill
    needing: Sequence[UUID]
    levels: int
    able: Sequence[UUID]


Levels = Mapping[UUID, Mapping[Skill, int]]


def recommend_activities(needs: Sequence[Gap], offers: Sequence[UpcomingActivity]) -> list[ActivityRecommendation]:
    """For each cluster the activities that would help it, the best first; one's own are none."""
    wanted = defaultdict[UUID, list[Gap]](list)
    for need in needs:
        if need.gap:
            wanted[need.cluster_id].append(need)
    found = [
        join
        for cluster_id, gaps in wanted.items()
        for offer in offers
        if offer.host_id != cluster_id and (join := _join(cluster_id, gaps, offer)).worth
    ]
    return sorted(found, key=lambda one: (one.cluster_id, -one.worth, one.offer.starts_on, one.offer.id))


def _join(cluster_id: UUID, gaps: Sequence[Gap], offer: UpcomingActivity) -> ActivityRecommendation:
    met = [(need, min(need.gap, offer.teaches.get(need.skill, 0))) for need in gaps]
    met = [(need, levels) for need, levels in met if levels]
    said = [f"{need.skill.text} ({counted(levels, 'level')} of the {need.gap} missing)" for need, levels in met]
    worth = sum(levels * need.aim.priority for need, levels in met)
    return ActivityRecommendation(cluster_id, offer, worth, f"It teaches {listed(said)}.")


def recommend_requests(
    needs: Sequence[Gap], offers: Sequence[UpcomingActivity], levels: Levels
) -> list[RequestRecommendation]:
    """For each cluster what it should ask others for: gaps that no activity of others teaches, the largest first."""
    found = []
    for need in needs:
        taught = any(offer.host_id != need.cluster_id and offer.teaches.get(need.skill) for offer in offers)
        able = _able(need.skill, levels, need.provisional, need.cluster_id)
        if need.gap and not taught and able:
            caller = "One cluster stands" if len(able) == 1 else f"{len(able)} clusters stand"
            reason = f"No activity to come teaches {need.skill.text}. {caller} above you in it."
            found.append(RequestRecommendation(need.cluster_id, need.skill, need.gap * need.aim.priority, able, reason))
    return sorted(found, key=lambda one: (one.cluster_id, -one.worth, one.skill))


def white_spots(needs: Sequence[Gap], offers: Sequence[UpcomingActivity], levels: Levels) -> list[WhiteSpot]:
    """What at least three clusters need and no activity to come teaches, the most missing levels first."""
    offered = {skill for offer in offers for skill, gain in offer.teaches.items() if gain}
    wanted = defaultdict[Skill, list[Gap]](list)
    for need in needs:
        if need.gap and need.skill not in offered:
            wanted[need.skill].append(need)
    found = [
        WhiteSpot(
            skill,
            sorted(one.cluster_id for one in gaps),
            sum(one.gap for one in gaps),
            _able(skill, levels, min(one.provisional for one in gaps)),
        )
        for skill, gaps in wanted.items()
        if len(gaps) >= WHITE_SPOT_CLUSTERS
    ]
    return sorted(found, key=lambda one: (-one.levels, one.skill))


def _able(skill: Skill, levels: Levels, above: int, but: UUID | None = None) -> list[UUID]:
    known = [(known.get(skill, 0), id) for id, known in levels.items() if id != but]
    return [id for level, id in sorted(known, key=lambda one: (-one[0], one[1])) if level > above]
