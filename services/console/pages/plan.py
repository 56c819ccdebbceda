"""`/desk/runs/{id}`: a plan as a table and as a picture, who goes without, and why each learner is paired as it is."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.plan_models import Draft, Plan, PlannedPair, Price, Unmatched
from services.console.pages.desk import ours, run_line
from services.console.request.page_context import Visit, show
from services.console.request.session import Coordinator
from services.console.view import labels
from services.console.view.charts import bipartite, terms
from services.console.view.plan_diff import Changes, changes
from services.console.view.truncation import cut
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

Standing = Literal["kept", "proposed", "new"]
STANDINGS = {"kept": "Accepted before", "proposed": "Proposed before", "new": "New"}
LEAF = 50
"""Pairs that are shown at once, in the table and in the picture."""


class Filter(NamedTuple):
    """What the page is narrowed down to, and which leaf of that is open."""

    cluster: UUID | None
    standing: Standing | None
    leaf: int


class PairLine(NamedTuple):
    """A pair of a plan."""

    mentor: str
    learner: str
    points: str
    standing: str
    href: str


class Turning(NamedTuple):
    """Which pairs of how many are shown, and the addresses of those before and after them."""

    first: int
    last: int
    total: int
    before: str | None
    after: str | None


@router.get("/desk/runs/{id}")
async def run(
    request: Request,
    caller: Coordinator,
    id: UUID,
    cluster: Annotated[UUID | None, Query()] = None,
    standing: Annotated[Standing | None, Query()] = None,
    leaf: Annotated[int, Query(ge=1, le=100_000)] = 1,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One plan, all of it or of one cluster; what publishing it does."""
    chosen = Filter(cluster, standing, leaf)

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, caller)
        found, plan = await asyncio.gather(
            visit.ask(visit.clients.run(id), None), visit.ask(visit.clients.plan(id), None)
        )
        visit.need("matching")
        if found is None or found.consortium_id != here:
            raise NotFound("no-such-run", "There is no such run.")
        values = {"line": run_line(visit, found), "run": found, "plan": plan, "once": clock.new_id}
        return values if plan is None else values | _planned(visit, found, plan, chosen)

    return await show(request, "desk_run.html", consortium, build)


def _planned(visit: Visit, found: Draft, plan: Plan, chosen: Filter) -> dict[str, Any]:
    pairs = [
        pair
        for pair in sorted(plan.pairs, key=lambda pair: -pair.score)
        if chosen.cluster in {None, pair.mentor_id, pair.learner_id} and chosen.standing in {None, pair.standing}
    ]
    turning = _turning(visit, found, chosen, len(pairs))
    shown = pairs[turning.first - 1 : turning.last]
    involved = {id for pair in plan.pairs for id in (pair.mentor_id, pair.learner_id)}
    involved |= {one.learner_id for one in plan.unmatched}
    return {
        "pairs": [_pair(visit, found, pair) for pair in shown],
        "turning": turning,
        "picture": bipartite.chart("plan", shown, visit.name),
        "clusters": [one for one in visit.ours if one.id in involved],
        "chosen": chosen,
        "standings": STANDINGS,
        "new": sum(pair.standing == "new" for pair in plan.pairs),
        "changes": _changes(visit, plan),
        "unmatched": cut([_without(visit, one) for one in plan.unmatched if chosen.cluster in {None, one.learner_id}]),
        "prices": cut(_prices(visit, plan, chosen.cluster)),
    }


def _turning(visit: Visit, found: Draft, chosen: Filter, total: int) -> Turning:
    def href(leaf: int) -> str:
        narrowed = {"cluster": chosen.cluster, "standing": chosen.standing}
        query = {name: value for name, value in narrowed.items() if value is not None}
        return visit.href(f"/desk/runs/{found.id}", **query, leaf=leaf)

    leaves = max(1, -(-total // LEAF))
    leaf = min(chosen.leaf, leaves)
    return Turning(
        (leaf - 1) * LEAF + 1,
        min(leaf * LEAF, total),
        total,
        href(leaf - 1) if leaf > 1 else None,
        href(leaf + 1) if leaf < leaves else None,
    )


def _pair(visit: Visit, found: Draft, pair: PlannedPair) -> PairLine:
    return PairLine(
        visit.name(pair.mentor_id),
        visit.name(pair.learner_id),
        labels.points(pair.score),
        STANDINGS.get(pair.standing, pair.standing),
        visit.href(f"/desk/runs/{found.id}/learners/{pair.learner_id}"),
    )


def _changes(visit: Visit, plan: Plan) -> Changes:
    """Who gains and who loses by it, as a learner: new proposals less those that it takes back."""
    points = defaultdict[UUID, int](int)
    for pair in plan.pairs:
        points[pair.learner_id] += pair.score if pair.standing == "new" else 0
    for dropped in plan.dropped:
        points[dropped.learner_id] -= dropped.score
    return changes(visit, points)


def _without(visit: Visit, one: Unmatched) -> tuple[str, Unmatched]:
    return visit.name(one.learner_id), one


def _prices(visit: Visit, plan: Plan, cluster: UUID | None) -> list[tuple[str, str, str]]:
    """Mentors, what one more place with each is worth, and who would gain most by it; the dearest first."""

    def line(one: Price) -> tuple[str, str, str]:
        gainer = visit.name(one.gainer_id) if one.gainer_id else ""
        return visit.name(one.mentor_id), labels.points(one.gain), gainer

    dear = [one for one in plan.prices if one.gain and cluster in {None, one.mentor_id}]
    return [line(one) for one in sorted(dear, key=lambda one: -one.gain)]


@router.get("/desk/runs/{id}/learners/{learner_id}")
async def learner(
    request: Request,
    caller: Coordinator,
    id: UUID,
    learner_id: UUID,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """Why a learner is paired as it is: each score term by term, and its alternates with what they would cost."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, caller)
        found, plan, explained = await asyncio.gather(
            visit.ask(visit.clients.run(id), None),
            visit.ask(visit.clients.plan(id), None),
            visit.ask(visit.clients.explanation(id, learner_id), None),
        )
        visit.need("matching")
        if found is None or plan is None or explained is None or found.consortium_id != here:
            raise NotFound("no-such-plan", "There is no plan with this learner.")
        mine = [pair for pair in plan.pairs if pair.learner_id == learner_id]
        return {
            "run_href": visit.href(f"/desk/runs/{id}"),
            "learner": visit.name(learner_id),
            "shown": [_explained(visit, number, pair) for number, pair in enumerate(mine)],
            "alternates": [
                (visit.name(one.mentor_id), labels.points(one.score), labels.points(one.cost), one.reason)
                for one in explained.alternates
            ],
            "without": next((one for one in plan.unmatched if one.learner_id == learner_id), None),
        }

    return await show(request, "desk_learner.html", consortium, build)


def _explained(visit: Visit, number: int, pair: PlannedPair) -> tuple[str, str, str, terms.TermChart]:
    name = visit.name(pair.mentor_id)
    title = f"What the score of {name} is made of"
    chart = terms.chart(f"pair-{number}", title, pair.terms)
    return name, labels.points(pair.score), STANDINGS.get(pair.standing, pair.standing), chart
