"""`/needs` and `/recommendations`: what clusters have left to learn, what was done about it, and what to do next."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from services.matching.queries import ledger as queries
from services.matching.routes.ledger import LineView, ReadingView, Within, line_view, reading_view
from services.matching.rules.mentoring import recommendations
from services.matching.rules.mentoring.gaps import Gap
from shared import clock
from shared.auth import Anyone
from shared.web import Read, ResponseModel, Router

router = Router()


class NeedView(ResponseModel):
    """From a gap to a new level: what a cluster wants, where it began, what was done, and where it is."""

    cluster_id: UUID
    framework: str
    indicator: str
    target: int
    priority: int
    first: ReadingView | None
    level: int = Field(description="what the newest assessment says")
    provisional: int = Field(description="with the gains of trainings that no assessment has confirmed yet")
    gap: int
    done: list[LineView]


class Needs(ResponseModel):
    """All that clusters want to reach."""

    items: list[NeedView]


class JoinView(ResponseModel):
    """A training or visit to come that would help a cluster."""

    cluster_id: UUID
    activity_id: UUID
    kind: str
    title: str
    host_id: UUID
    starts_on: date
    worth: int = Field(description="levels of gaps that it would close, times their priorities")
    reason: str


class AskView(ResponseModel):
    """Something that a cluster should ask others for."""

    cluster_id: UUID
    framework: str
    indicator: str
    worth: int
    able: list[UUID] = Field(description="who stands above it, the highest first")
    reason: str


class WhiteSpotView(ResponseModel):
    """What at least three clusters need and nobody offers; `able` could host a training in it."""

    framework: str
    indicator: str
    needing: list[UUID]
    levels: int = Field(description="levels that they are short of, all together")
    able: list[UUID]


class Recommendations(ResponseModel):
    """What clusters should do next; the best first of each cluster."""

    join: list[JoinView]
    ask: list[AskView]
    white_spots: list[WhiteSpotView]


@router.get("/needs")
async def show_needs(
    caller: Anyone, db: Read, within: Within, cluster_id: Annotated[UUID | None, Query()] = None
) -> Needs:
    """One line for each need: the gap, what was done about it, and the new level."""
    needs, _ = await queries.gaps(db, within)
    return Needs(items=[_need(one) for one in needs if cluster_id in {None, one.cluster_id}])


@router.get("/recommendations")
async def show_recommendations(
    caller: Anyone, db: Read, within: Within, cluster_id: Annotated[UUID | None, Query()] = None
) -> Recommendations:
    """What to join and what to ask for, for each cluster's gaps; and what nobody offers though three need it."""
    needs, levels = await queries.gaps(db, within)
    offers = await queries.upcoming_activities(db, within, clock.now().date())
    return Recommendations(
        join=[
            _join(one)
            for one in recommendations.recommend_activities(needs, offers)
            if cluster_id in {None, one.cluster_id}
        ],
        ask=[
            _ask(one)
            for one in recommendations.recommend_requests(needs, offers, levels)
            if cluster_id in {None, one.cluster_id}
        ],
        white_spots=[_white(one) for one in recommendations.white_spots(needs, offers, levels)],
    )


def _need(need: Gap) -> NeedView:
    return NeedView(
        cluster_id=need.cluster_id,
        **need.skill._asdict(),
        target=need.target.level,
        priority=need.target.priority,
        first=reading_view(need.first),
        level=need.level,
        provisional=need.provisional,
        gap=need.missing,
        done=[line_view(line) for line in need.lines],
    )


def _join(one: recommendations.ActivityRecommendation) -> JoinView:
    offer = one.activity
    return JoinView(
        cluster_id=one.cluster_id,
        activity_id=offer.id,
        kind=offer.kind,
        title=offer.title,
        host_id=offer.host_id,
        starts_on=offer.starts_on,
        worth=one.worth,
        reason=one.reason,
    )


def _ask(one: recommendations.RequestRecommendation) -> AskView:
    return AskView(
        cluster_id=one.cluster_id, **one.skill._asdict(), worth=one.worth, able=list(one.able), reason=one.reason
    )


def _white(one: recommendations.WhiteSpot) -> WhiteSpotView:
    return WhiteSpotView(**one.skill._asdict(), needing=list(one.needing), levels=one.levels, able=list(one.able))
