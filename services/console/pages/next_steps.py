"""`/next`: what each cluster should do about its gaps, and what the consortium lacks."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.mentorship_models import Recommendations
from services.console.request.page_context import Visit, show
from services.console.view import labels
from shared.auth import public
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

NAMED = 3
"""Clusters that are named as able, at most."""


class Step(NamedTuple):
    """Something to do, in words."""

    title: str
    word: str
    tone: str
    reason: str


class Plan(NamedTuple):
    """What one cluster should do."""

    name: str
    href: str | None
    steps: list[Step]


class White(NamedTuple):
    """What nobody offers."""

    skill: str
    needing: str
    levels: str
    able: str


@router.get("/next")
async def next_steps(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """Of the whole consortium."""

    async def build(visit: Visit) -> dict[str, Any]:
        nothing = Recommendations(join=[], ask=[], white_spots=[])
        asked = visit.clients.recommendations(visit.consortium.id) if visit.consortium else None
        found = await visit.ask(asked, nothing) if asked else nothing
        plans = [Plan(one.name, visit.cluster_href(one.id), _steps(visit, found, one.id)) for one in visit.ours]
        return {"plans": [plan for plan in plans if plan.steps], "spots": _spots(visit, found)}

    return await show(request, "next_steps.html", consortium, build)


def _steps(visit: Visit, found: Recommendations, cluster: UUID) -> list[Step]:
    joins = [
        Step(
            f"Join {one.title}",
            labels.day(one.starts_on),
            "good",
            f"{labels.ACTIVITY_KINDS.get(one.kind, labels.tidy(one.kind))} hosted by {visit.name(one.host_id)}."
            f" {one.reason}",
        )
        for one in found.join
        if one.cluster_id == cluster
    ]
    asks = [
        Step(
            f"Ask for help with {visit.skill(one.framework, one.indicator).lower()}",
            "ask",
            "ask",
            f"{one.reason} {_able(visit, one.able)}",
        )
        for one in found.ask
        if one.cluster_id == cluster
    ]
    return joins + asks


def _able(visit: Visit, able: list[UUID]) -> str:
    return f"The strongest: {labels.listed([visit.name(id) for id in able[:NAMED]])}." if able else ""


def _spots(visit: Visit, found: Recommendations) -> list[White]:
    return [
        White(
            visit.skill(one.framework, one.indicator),
            labels.listed([visit.name(id) for id in one.needing]),
            labels.counted(one.levels, "level"),
            _able(visit, one.able) or "Nobody of the consortium could host it.",
        )
        for one in found.white_spots
    ]
