"""`/desk/compare`: two plans side by side."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.plan_models import Plan
from services.console.pages.desk import ours, run_line
from services.console.pages.what_ifs import Row
from services.console.request.page_context import Visit, show
from services.console.request.session import Coordinator
from services.console.view import labels
from services.console.view.plan_diff import changes, pairs
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)


@router.get("/desk/compare")
async def compare(
    request: Request,
    caller: Coordinator,
    one: UUID,
    other: UUID,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """What one run's plan has that another's has not."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, caller)
        first, second, before, after = await asyncio.gather(
            visit.ask(visit.clients.run(one), None),
            visit.ask(visit.clients.run(other), None),
            visit.ask(visit.clients.plan(one), None),
            visit.ask(visit.clients.plan(other), None),
        )
        visit.need("matching")
        if first is None or second is None or {first.consortium_id, second.consortium_id} != {here}:
            raise NotFound("no-such-run", "There is no such run.")
        if before is None or after is None:
            raise NotFound("no-such-plan", "One of these runs has no plan.")
        had, has = ({(pair.mentor_id, pair.learner_id) for pair in plan.pairs} for plan in (before, after))
        return {
            "lines": [run_line(visit, first), run_line(visit, second)],
            "rows": _rows(before, after),
            "changes": changes(visit, _shifts(before, after)),
            "added": pairs(visit, has - had),
            "dropped": pairs(visit, had - has),
        }

    return await show(request, "compare.html", consortium, build)


def _sums(plan: Plan) -> defaultdict[UUID, int]:
    sums = defaultdict[UUID, int](int)
    for pair in plan.pairs:
        sums[pair.learner_id] += pair.score
    return sums


def _rows(before: Plan, after: Plan) -> list[Row]:
    had, has = _sums(before), _sums(after)
    return [
        Row("Pairs", str(len(before.pairs)), str(len(after.pairs))),
        Row("Learners served", str(len(had)), str(len(has))),
        Row("Points together", labels.points(before.total), labels.points(after.total)),
        Row(
            "The worst served of them",
            labels.points(min(had.values(), default=0)),
            labels.points(min(has.values(), default=0)),
        ),
        Row("Learners that go without", str(len(before.unmatched)), str(len(after.unmatched))),
    ]


def _shifts(before: Plan, after: Plan) -> dict[UUID, int]:
    had, has = _sums(before), _sums(after)
    return {id: has[id] - had[id] for id in had.keys() | has.keys()}
