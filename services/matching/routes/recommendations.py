"""`/needs` and `/recommendations`: gaps of clusters, what was done about them, and what to do next."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from services.matching.queries import recommendations as queries
from services.matching.routes.ledger import LineView, ReadingView, Within, line_view, reading_view
from services.matching.rules.mentoring import recommendations
from services.matching.rules.mentoring.gaps import Gap
from shared import clock
from shared.auth import Anyone
from shared.web import Read, ResponseModel, Router

router = Router()


class NeedView(ResponseModel):
    """A target of a cluster, with its first and its current level, and what was done about the gap."""

    cluster_id: UUID
    framework: str
    indicator: str
    target: int
    priority: int
    first: ReadingView | None
    level: int = Field(description="by the newest assessment")
    provisional: int = Field(description="the level with gains of activities that no assessment has confirmed yet")
    gap: int
    done: list[LineView]


class Needs(ResponseModel):
    """The needs of all clusters."""

    items: list[NeedView]


class JoinView(ResponseModel):
    """An upcoming activity that would help a cluster."""

    cluster_id: UUID
    activity_id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    worth: int = Field(description="levels of gaps that the activity would close, times their priorities")
    reason: str


class AskView(ResponseModel):
    """An indicator for which a cluster should request help."""

    cluster_id: UUID
    framework: str
    indicator: str
    worth: int
    able: list[UUID] = Field(description="clusters with a higher level, the highest first")
    reason: str


class WhiteSpotView(ResponseModel):
    """An indicator that at least three clusters need and no activity teaches; `able` could host a training."""

    framework: str
    indicator: str
    needing: list[UUID]
    levels: int = Field(description="the sum of their gaps in levels")
    able: list[UUID]


class Recommendations(ResponseModel):
    """What clusters should do next, the best of each cluster first."""

    join: list[JoinView]
    ask: list[AskView]
    white_spots: list[WhiteSpotView]


@router.get("/needs")
async def show_needs(
    caller: Anyone, db: Read, within: Within, cluster_id: Annotated[UUID | None, Query()] = None
) -> Needs:
    """One line for each target: the gap, what was done about it, and the current level."""
    gaps, _ = await queries.gaps(db, within)
    return Needs(items=[_need_view(gap) for gap in gaps if cluster_id in {None, gap.cluster_id}])


@router.get("/recommendations")
async def show_recommendations(
    caller: Anyone, db: Read, within: Within, cluster_id: Annotated[UUID | None, Query()] = None
) -> Recommendations:
    """For each gap the activity to join or the help to request; and white spots, which no activity teaches."""
    gaps, levels = await queries.gaps(db, within)
    activities = await queries.upcoming_activities(db, within, clock.now().date())
    to_join = recommendations.recommend_activities(gaps, activities)
    to_ask = recommendations.recommend_requests(gaps, activities, levels)
    return Recommendations(
        join=[_join_view(item) for item in to_join if cluster_id in {None, item.cluster_id}],
        ask=[_ask_view(item) for item in to_ask if cluster_id in {None, item.cluster_id}],
        white_spots=[_white_spot_view(item) for item in recommendations.white_spots(gaps, activities, levels)],
    )


def _need_view(gap: Gap) -> NeedView:
    return NeedView(
        cluster_id=gap.cluster_id,
        **gap.skill._asdict(),
        target=gap.target.level,
        priority=gap.target.priority,
        first=reading_view(gap.first),
        level=gap.level,
        provisional=gap.provisional,
        gap=gap.missing,
        done=[line_view(line) for line in gap.lines],
    )


def _join_view(item: recommendations.ActivityRecommendation) -> JoinView:
    activity = item.activity
    return JoinView(
        cluster_id=item.cluster_id,
        activity_id=activity.id,
        kind=activity.kind,
        title=activity.title,
        host_id=activity.host_id,
        starts_on=activity.starts_on,
        worth=item.worth,
        reason=item.reason,
    )


def _ask_view(item: recommendations.RequestRecommendation) -> AskView:
    return AskView(
        cluster_id=item.cluster_id, **item.skill._asdict(), worth=item.worth, able=list(item.able), reason=item.reason
    )


def _white_spot_view(item: recommendations.WhiteSpot) -> WhiteSpotView:
    return WhiteSpotView(**item.skill._asdict(), needing=list(item.needing), levels=item.levels, able=list(item.able))
