"""`/desk`: where a coordinator asks for plans, finds those that were made, and publishes them."""

import asyncio
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.api.plan_models import Draft
from services.console.api.user_client import Deed, acting_of
from services.console.request import forms
from services.console.request.page_context import Visit, show
from services.console.request.session import Coordinator, Visitor, from_here
from services.console.view import labels
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

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


def ours(visit: Visit, caller: Visitor) -> UUID:
    """The consortium that the desk is about; it has to be the coordinator's own.

    Raises:
        NotFound
    """
    visit.need("members")
    if visit.consortium is None or not caller.principal.within(visit.consortium.id):
        raise NotFound("no-such-consortium", "There is no consortium here that you can plan for.")
    return visit.consortium.id


@router.get("/desk")
async def desk(
    request: Request, caller: Coordinator, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """What was planned, and what could be."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, caller)
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
    why = f"follows {labels.counted(count, 'event')}" if count else "asked for by a person"
    return RunLine(run, visit.href(f"/desk/runs/{run.id}"), word, tone, labels.points(run.total_hundredths), why)


# --- what a coordinator does


class NewRun(forms.Form):
    """A plan by the criteria that a consortium begins with."""

    consortium_id: UUID
    once: UUID


class Publication(forms.Form):
    """A draft as it was seen."""

    expected_version: int
    once: UUID


@router.post("/desk/runs", dependencies=[Depends(from_here)])
async def make(request: Request, caller: Coordinator) -> Response:
    """Ask for a plan."""
    form = await forms.read(request, NewRun)
    body = {"consortium_id": str(form.consortium_id)}
    made = await acting_of(request).do(caller, Deed("POST", "/runs", body, None, form.once))
    return RedirectResponse(f"/desk/runs/{made['id']}", 303)


@router.post("/desk/runs/{id}/publish", dependencies=[Depends(from_here)])
async def publish(request: Request, caller: Coordinator, id: UUID) -> Response:
    """Publish a draft."""
    form = await forms.read(request, Publication)
    await acting_of(request).do(caller, Deed("POST", f"/runs/{id}/publication", {}, form.expected_version, form.once))
    return RedirectResponse(f"/desk/runs/{id}", 303)
