"""`/desk/runs/{id}`: the plan of a run, and the reasons for the pairs of a learner."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.matching import Plan, PlannedPair, Run, ShadowPrice
from services.console.pages.desk import require_own_consortium, run_row
from services.console.request.page_context import PageContext, render_page
from services.console.request.session import Coordinator
from services.console.view import formatting
from services.console.view.charts import bipartite, terms
from services.console.view.plan_diff import LearnerChanges, learner_changes
from services.console.view.truncation import truncate
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

PairStatus = Literal["kept", "proposed", "new"]
PAIR_STATUSES = {"kept": "Already accepted", "proposed": "Already proposed", "new": "New"}
PAGE_SIZE = 50
"""Pairs on a page, in the table and in the chart."""


class PlanFilter(NamedTuple):
    """Which pairs the page shows, and which page of them."""

    cluster: UUID | None
    status: PairStatus | None
    page: int


class PairRow(NamedTuple):
    """A pair of a plan."""

    mentor: str
    learner: str
    points: str
    status: str
    href: str


class Pagination(NamedTuple):
    """The numbers of the first and last pair on the page, and the URLs of the pages before and after."""

    first: int
    last: int
    total: int
    previous: str | None
    next: str | None


class ExplainedPair(NamedTuple):
    """A mentor of a learner, with the terms of the score."""

    mentor: str
    points: str
    status: str
    chart: terms.TermChart


@router.get("/desk/runs/{id}")
async def run(
    request: Request,
    caller: Coordinator,
    id: UUID,
    cluster: Annotated[UUID | None, Query()] = None,
    status: Annotated[PairStatus | None, Query()] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The plan of a run, all of it or of one cluster, and the effects of publishing it."""
    chosen = PlanFilter(cluster, status, page)

    async def build(context: PageContext) -> dict[str, Any]:
        own = require_own_consortium(context, caller)
        run, plan = await asyncio.gather(
            context.or_default(context.api.matching.run(id), None),
            context.or_default(context.api.matching.plan(id), None),
        )
        context.require("matching")
        if run is None or run.consortium_id != own:
            raise NotFound("no-such-run", "There is no such run.")
        values = {"row": run_row(context, run), "run": run, "plan": plan, "new_key": clock.new_id}
        return values if plan is None else values | _plan_values(context, run, plan, chosen)

    return await render_page(request, "desk_run.html", consortium, build)


def _plan_values(context: PageContext, run: Run, plan: Plan, chosen: PlanFilter) -> dict[str, Any]:
    pairs = [
        pair
        for pair in sorted(plan.pairs, key=lambda pair: -pair.score)
        if chosen.cluster in {None, pair.mentor_id, pair.learner_id} and chosen.status in {None, pair.standing}
    ]
    pagination = _pagination(context, run, chosen, len(pairs))
    shown = pairs[pagination.first - 1 : pagination.last]
    involved = {id for pair in plan.pairs for id in (pair.mentor_id, pair.learner_id)}
    involved |= {unmatched.learner_id for unmatched in plan.unmatched}
    return {
        "pairs": [_pair_row(context, run, pair) for pair in shown],
        "pagination": pagination,
        "chart": bipartite.chart("plan", shown, context.cluster_name),
        "clusters": [cluster for cluster in context.clusters if cluster.id in involved],
        "chosen": chosen,
        "statuses": PAIR_STATUSES,
        "new": sum(pair.standing == "new" for pair in plan.pairs),
        "changes": _learner_changes(context, plan),
        "unmatched": truncate(
            [
                (context.cluster_name(unmatched.learner_id), unmatched)
                for unmatched in plan.unmatched
                if chosen.cluster in {None, unmatched.learner_id}
            ]
        ),
        "prices": truncate(_prices(context, plan, chosen.cluster)),
    }


def _pagination(context: PageContext, run: Run, chosen: PlanFilter, total: int) -> Pagination:
    def href(page: int) -> str:
        query = {"cluster": chosen.cluster, "status": chosen.status, "page": page}
        query = {name: value for name, value in query.items() if value is not None}
        return context.href(f"/desk/runs/{run.id}", **query)

    pages = max(1, -(-total // PAGE_SIZE))
    page = min(chosen.page, pages)
    return Pagination(
        (page - 1) * PAGE_SIZE + 1,
        min(page * PAGE_SIZE, total),
        total,
        href(page - 1) if page > 1 else None,
        href(page + 1) if page < pages else None,
    )


def _pair_row(context: PageContext, run: Run, pair: PlannedPair) -> PairRow:
    return PairRow(
        context.cluster_name(pair.mentor_id),
        context.cluster_name(pair.learner_id),
        formatting.points(pair.score),
        PAIR_STATUSES.get(pair.standing, pair.standing),
        context.href(f"/desk/runs/{run.id}/learners/{pair.learner_id}"),
    )


def _learner_changes(context: PageContext, plan: Plan) -> LearnerChanges:
    """Points of new proposals minus points of withdrawn proposals, by learner."""
    hundredths = defaultdict[UUID, int](int)
    for pair in plan.pairs:
        hundredths[pair.learner_id] += pair.score if pair.standing == "new" else 0
    for withdrawn in plan.dropped:
        hundredths[withdrawn.learner_id] -= withdrawn.score
    return learner_changes(hundredths, context.cluster_name)


def _prices(context: PageContext, plan: Plan, cluster: UUID | None) -> list[tuple[str, str, str]]:
    """Mentor, points that one more slot adds to the plan, and the learner who gains most; the highest first."""

    def row(price: ShadowPrice) -> tuple[str, str, str]:
        gainer = context.cluster_name(price.gainer_id) if price.gainer_id else ""
        return context.cluster_name(price.mentor_id), formatting.points(price.gain), gainer

    shown = [price for price in plan.prices if price.gain and cluster in {None, price.mentor_id}]
    return [row(price) for price in sorted(shown, key=lambda price: -price.gain)]


@router.get("/desk/runs/{id}/learners/{learner_id}")
async def learner(
    request: Request,
    caller: Coordinator,
    id: UUID,
    learner_id: UUID,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The mentors of a learner term by term, and the alternates with their costs."""

    async def build(context: PageContext) -> dict[str, Any]:
        own = require_own_consortium(context, caller)
        run, plan, explanation = await asyncio.gather(
            context.or_default(context.api.matching.run(id), None),
            context.or_default(context.api.matching.plan(id), None),
            context.or_default(context.api.matching.explanation(id, learner_id), None),
        )
        context.require("matching")
        if run is None or plan is None or explanation is None or run.consortium_id != own:
            raise NotFound("no-such-plan", "There is no plan with this learner.")
        pairs = [pair for pair in plan.pairs if pair.learner_id == learner_id]
        return {
            "run_href": context.href(f"/desk/runs/{id}"),
            "learner": context.cluster_name(learner_id),
            "pairs": [_explained_pair(context, number, pair) for number, pair in enumerate(pairs)],
            "alternates": [
                (
                    context.cluster_name(alternate.mentor_id),
                    formatting.points(alternate.score),
                    formatting.points(alternate.cost),
                    alternate.reason,
                )
                for alternate in explanation.alternates
            ],
            "unmatched": next((unmatched for unmatched in plan.unmatched if unmatched.learner_id == learner_id), None),
        }

    return await render_page(request, "desk_learner.html", consortium, build)


def _explained_pair(context: PageContext, number: int, pair: PlannedPair) -> ExplainedPair:
    mentor = context.cluster_name(pair.mentor_id)
    chart = terms.chart(f"pair-{number}", f"Terms of the score of {mentor}", pair.terms)
    status = PAIR_STATUSES.get(pair.standing, pair.standing)
    return ExplainedPair(mentor, formatting.points(pair.score), status, chart)
