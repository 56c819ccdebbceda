"""`/desk`: where a coordinator makes plans, reads why they are as they are, and publishes them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console import forms, words
from services.console.acting import Deed, acting_of
from services.console.charts import bipartite, terms
from services.console.planning import Draft, Plan, PlannedPair
from services.console.visit import Visit, show
from services.console.visitors import Coordinator, Visitor, from_here
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

Standing = Literal["kept", "proposed", "new"]
STANDINGS = {"kept": "Accepted before", "proposed": "Proposed before", "new": "New"}
STATES = {
    "running": ("being made", "ask"),
    "draft": ("draft", "ask"),
    "published": ("published", "good"),
    "unchanged": ("nothing better", "fact"),
    "failed": ("failed", "stop"),
    "cancelled": ("cancelled", "fact"),
}
NEWEST = 50
"""Runs and what-ifs that the desk lists."""


class RunLine(NamedTuple):
    """A run in the list."""

    run: Draft
    href: str
    word: str
    tone: str
    points: str
    why: str


class PairLine(NamedTuple):
    """A pair of a plan."""

    pair: PlannedPair
    mentor: str
    learner: str
    points: str
    standing: str
    href: str


class Change(NamedTuple):
    """What publishing brings a learner, in points."""

    name: str
    points: str
    gains: bool


def ours(visit: Visit, who: Visitor) -> UUID:
    """The consortium that the desk is about; it has to be the coordinator's own.

    Raises:
        NotFound
    """
    visit.need("members")
    if visit.consortium is None or not who.principal.within(visit.consortium.id):
        raise NotFound("no-such-consortium", "There is no consortium here that you can plan for.")
    return visit.consortium.id


@router.get("/desk")
async def desk(
    request: Request, who: Coordinator, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """What was planned, and what could be."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, who)
        newest = await visit.newest()
        runs, what_ifs = await asyncio.gather(
            visit.ask(visit.clients.drafts(), []), visit.ask(visit.clients.what_ifs(), [])
        )
        mine = [run for run in reversed(runs) if run.consortium_id == here][:NEWEST]
        supposed = [one for one in reversed(what_ifs) if one.consortium_id == here][:NEWEST]
        return {
            "runs": [run_line(visit, run) for run in mine],
            "what_ifs": supposed,
            "once": clock.new_id,
            "newest": newest,
        }

    return await show(request, "desk.html", consortium, build)


def run_line(visit: Visit, run: Draft) -> RunLine:
    """A run in words."""
    word, tone = STATES.get(run.state, (run.state, "fact"))
    count = len(run.causes)
    why = f"follows {words.counted(count, 'event')}" if count else "asked for by a person"
    return RunLine(run, visit.href(f"/desk/runs/{run.id}"), word, tone, words.points(run.total_hundredths), why)


@router.get("/desk/runs/{id}")
async def run(
    request: Request,
    who: Coordinator,
    id: UUID,
    cluster: Annotated[UUID | None, Query()] = None,
    standing: Annotated[Standing | None, Query()] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One plan: as a table and as a picture, who goes without and why, what places are worth, what publishing does."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, who)
        found, plan = await asyncio.gather(
            visit.ask(visit.clients.run(id), None), visit.ask(visit.clients.plan(id), None)
        )
        visit.need("matching")
        if found is None or found.consortium_id != here:
            raise NotFound("no-such-run", "There is no such run.")
        values = {"line": run_line(visit, found), "run": found, "plan": plan, "once": clock.new_id}
        return values if plan is None else values | _planned(visit, found, plan, cluster, standing)

    return await show(request, "desk_run.html", consortium, build)


def _planned(visit: Visit, found: Draft, plan: Plan, cluster: UUID | None, standing: Standing | None) -> dict[str, Any]:
    chosen = [
        pair
        for pair in sorted(plan.pairs, key=lambda pair: -pair.score)
        if cluster in {None, pair.mentor_id, pair.learner_id} and standing in {None, pair.standing}
    ]
    involved = {id for pair in plan.pairs for id in (pair.mentor_id, pair.learner_id)}
    return {
        "pairs": [_pair(visit, found, pair) for pair in chosen],
        "picture": bipartite.chart("plan", chosen, visit.name),
        "clusters": [one for one in visit.ours if one.id in involved],
        "cluster": cluster,
        "standing": standing,
        "standings": STANDINGS,
        "new": sum(pair.standing == "new" for pair in plan.pairs),
        "changes": _changes(visit, plan),
        "unmatched": [(visit.name(one.learner_id), one) for one in plan.unmatched],
        "prices": [
            (visit.name(one.mentor_id), words.points(one.gain), visit.name(one.gainer_id) if one.gainer_id else "")
            for one in sorted(plan.prices, key=lambda one: -one.gain)
            if one.gain
        ],
    }


def _pair(visit: Visit, found: Draft, pair: PlannedPair) -> PairLine:
    return PairLine(
        pair,
        visit.name(pair.mentor_id),
        visit.name(pair.learner_id),
        words.points(pair.score),
        STANDINGS.get(pair.standing, pair.standing),
        visit.href(f"/desk/runs/{found.id}/learners/{pair.learner_id}"),
    )


def _changes(visit: Visit, plan: Plan) -> list[Change]:
    """Who gains and who loses by it, as a learner: new proposals less those that it takes back."""
    sums = defaultdict[UUID, int](int)
    for pair in plan.pairs:
        sums[pair.learner_id] += pair.score if pair.standing == "new" else 0
    for dropped in plan.dropped:
        sums[dropped.learner_id] -= dropped.score
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return [Change(visit.name(id), f"{points / 100:+.1f}", points > 0) for id, points in ranked if points]


@router.get("/desk/runs/{id}/learners/{learner_id}")
async def learner(
    request: Request,
    who: Coordinator,
    id: UUID,
    learner_id: UUID,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """Why a learner is paired as it is: each score term by term, and its alternates with what they would cost."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, who)
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
                (visit.name(one.mentor_id), words.points(one.score), words.points(one.cost), one.reason)
                for one in explained.alternates
            ],
            "without": next((one for one in plan.unmatched if one.learner_id == learner_id), None),
        }

    return await show(request, "desk_learner.html", consortium, build)


def _explained(visit: Visit, number: int, pair: PlannedPair) -> tuple[str, str, str, terms.TermChart]:
    name = visit.name(pair.mentor_id)
    title = f"What the score of {name} is made of"
    chart = terms.chart(f"pair-{number}", title, pair.terms)
    return name, words.points(pair.score), STANDINGS.get(pair.standing, pair.standing), chart


# --- what a coordinator does


class NewRun(forms.Form):
    """A plan by the criteria that a consortium begins with."""

    consortium_id: UUID
    once: UUID


class Publication(forms.Form):
    """A draft as it was seen."""

    seen: int
    once: UUID


@router.post("/desk/runs", dependencies=[Depends(from_here)])
async def make(request: Request, who: Coordinator) -> Response:
    """Ask for a plan."""
    form = await forms.read(request, NewRun)
    body = {"consortium_id": str(form.consortium_id)}
    made = await acting_of(request).do(who, Deed("POST", "/runs", body, None, form.once))
    return RedirectResponse(f"/desk/runs/{made['id']}", 303)


@router.post("/desk/runs/{id}/publish", dependencies=[Depends(from_here)])
async def publish(request: Request, who: Coordinator, id: UUID) -> Response:
    """Publish a draft."""
    form = await forms.read(request, Publication)
    await acting_of(request).do(who, Deed("POST", f"/runs/{id}/publication", {}, form.seen, form.once))
    return RedirectResponse(f"/desk/runs/{id}", 303)


def ranked(pairs: Sequence[tuple[UUID, UUID]], visit: Visit) -> list[str]:
    """Pairs in words, in the order of their learners."""
    named = sorted((visit.name(learner), visit.name(mentor)) for mentor, learner in pairs)
    return [f"{mentor} teaches {learner}" for learner, mentor in named]
