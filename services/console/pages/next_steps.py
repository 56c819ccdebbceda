"""`/next`: what each cluster should do about its gaps, and which needs have no offer."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.mentorships import Recommendations
from services.console.request.page_context import PageContext, render_page
from services.console.view import formatting, labels
from shared import wording
from shared.auth import public
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

MAX_NAMED = 3
"""Clusters that are named as able to help."""


class NextStep(NamedTuple):
    """A recommended step."""

    title: str
    tag: str
    tone: str
    reason: str


class ClusterSteps(NamedTuple):
    """The recommended steps of one cluster."""

    name: str
    href: str | None
    steps: list[NextStep]


class UnmetNeed(NamedTuple):
    """An indicator that several clusters need and no activity teaches."""

    title: str
    needing: str
    levels: str
    able: str


@router.get("/next")
async def next_steps(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """The recommendations of the consortium."""

    async def build(context: PageContext) -> dict[str, Any]:
        recommendations = Recommendations(join=[], ask=[], white_spots=[])
        if context.consortium:
            request = context.api.matching.recommendations(context.consortium.id)
            recommendations = await context.or_default(request, recommendations)
        plans = [
            ClusterSteps(cluster.name, context.cluster_href(cluster.id), _steps(context, recommendations, cluster.id))
            for cluster in context.clusters
        ]
        return {"plans": [plan for plan in plans if plan.steps], "unmet_needs": _unmet_needs(context, recommendations)}

    return await render_page(request, "next_steps.html", consortium, build)


def _steps(context: PageContext, recommendations: Recommendations, cluster: UUID) -> list[NextStep]:
    joins = [
        NextStep(
            f"Join {join.title}",
            wording.day(join.starts_on),
            "good",
            f"{labels.ACTIVITY_KINDS.get(join.kind, formatting.title(join.kind))} hosted by"
            f" {context.cluster_name(join.host_id)}. {join.reason}",
        )
        for join in recommendations.join
        if join.cluster_id == cluster
    ]
    asks = [
        NextStep(
            f"Ask for help with {context.indicator_title(ask.framework, ask.indicator).lower()}",
            "ask",
            "ask",
            f"{ask.reason} {_able(context, ask.able)}",
        )
        for ask in recommendations.ask
        if ask.cluster_id == cluster
    ]
    return joins + asks


def _able(context: PageContext, able: list[UUID]) -> str:
    names = wording.listed([context.cluster_name(id) for id in able[:MAX_NAMED]])
    return f"The strongest: {names}." if able else ""


def _unmet_needs(context: PageContext, recommendations: Recommendations) -> list[UnmetNeed]:
    return [
        UnmetNeed(
            context.indicator_title(spot.framework, spot.indicator),
            wording.listed([context.cluster_name(id) for id in spot.needing]),
            wording.counted_in_words(spot.levels, "level"),
            _able(context, spot.able) or "No cluster of the consortium could host it.",
        )
        for spot in recommendations.white_spots
    ]
