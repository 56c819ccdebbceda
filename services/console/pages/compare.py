"""`/desk/compare`: two plans side by side."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.matching import Plan
from services.console.pages.desk import require_own_consortium, run_row
from services.console.request.page_context import PageContext, render_page
from services.console.request.session import Coordinator
from services.console.view import formatting
from services.console.view.plan_diff import FigureRow, learner_changes, pair_sentences
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)


@router.get("/desk/compare")
async def compare(
    request: Request,
    caller: Coordinator,
    first: UUID,
    second: UUID,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The differences of the plans of two runs."""

    async def build(context: PageContext) -> dict[str, Any]:
        own = require_own_consortium(context, caller)
        matching, or_default = context.api.matching, context.or_default
        first_run, second_run, before, after = await asyncio.gather(
            or_default(matching.run(first), None),
            or_default(matching.run(second), None),
            or_default(matching.plan(first), None),
            or_default(matching.plan(second), None),
        )
        context.require("matching")
        if first_run is None or second_run is None or {first_run.consortium_id, second_run.consortium_id} != {own}:
            raise NotFound("no-such-run", "There is no such run.")
        if before is None or after is None:
            raise NotFound("no-such-plan", "One of these runs has no plan.")
        old, new = ({(pair.mentor_id, pair.learner_id) for pair in plan.pairs} for plan in (before, after))
        return {
            "runs": [run_row(context, first_run), run_row(context, second_run)],
            "rows": _figure_rows(before, after),
            "changes": learner_changes(_deltas(before, after), context.cluster_name),
            "added": pair_sentences(new - old, context.cluster_name),
            "removed": pair_sentences(old - new, context.cluster_name),
        }

    return await render_page(request, "compare.html", consortium, build)


def _points_by_learner(plan: Plan) -> defaultdict[UUID, int]:
    points = defaultdict[UUID, int](int)
    for pair in plan.pairs:
        points[pair.learner_id] += pair.score
    return points


def _figure_rows(before: Plan, after: Plan) -> list[FigureRow]:
    old, new = _points_by_learner(before), _points_by_learner(after)
    lowest = [formatting.points(min(points.values(), default=0)) for points in (old, new)]
    return [
        FigureRow("Pairs", str(len(before.pairs)), str(len(after.pairs))),
        FigureRow("Learners served", str(len(old)), str(len(new))),
        FigureRow("Total points", formatting.points(before.total), formatting.points(after.total)),
        FigureRow("Lowest points of a served learner", *lowest),
        FigureRow("Unmatched learners", str(len(before.unmatched)), str(len(after.unmatched))),
    ]


def _deltas(before: Plan, after: Plan) -> dict[UUID, int]:
    old, new = _points_by_learner(before), _points_by_learner(after)
    return {id: new[id] - old[id] for id in old.keys() | new.keys()}
