"""`/desk`: the plans and what-ifs of a consortium; coordinators make and publish plans here."""

import asyncio
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.api.models.matching import Run
from services.console.api.user_client import ApiCommand
from services.console.request import forms
from services.console.request.page_context import PageContext, render_page
from services.console.request.session import Coordinator, SignedInUser, require_same_origin
from services.console.view import formatting
from shared import clock, wording
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

STATES = {
    "running": ("being made", "ask"),
    "draft": ("draft", "ask"),
    "published": ("published", "good"),
    "unchanged": ("no change", "fact"),
    "failed": ("failed", "stop"),
    "cancelled": ("cancelled", "fact"),
}
"""Label and tone of each state of a run."""
MAX_ROWS = 50
"""Runs, and what-ifs, in the lists."""


class RunRow(NamedTuple):
    """A run in the list."""

    run: Run
    href: str
    state: str
    tone: str
    points: str
    cause: str


def require_own_consortium(context: PageContext, caller: SignedInUser) -> UUID:
    """The consortium of the page, which has to be the coordinator's own.

    Raises:
        NotFound: it is not, or there is none.
    """
    context.require("members")
    if context.consortium is None or not caller.principal.within(context.consortium.id):
        raise NotFound("no-such-consortium", "There is no consortium here that you can plan for.")
    return context.consortium.id


@router.get("/desk")
async def desk(
    request: Request, caller: Coordinator, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The newest runs and what-ifs."""

    async def build(context: PageContext) -> dict[str, Any]:
        own = require_own_consortium(context, caller)
        position = await context.feed_position()
        runs, what_ifs = await asyncio.gather(
            context.or_default(context.api.matching.runs(), []),
            context.or_default(context.api.matching.what_ifs(), []),
        )
        own_runs = [run for run in reversed(runs) if run.consortium_id == own]
        own_what_ifs = [what_if for what_if in reversed(what_ifs) if what_if.consortium_id == own]
        return {
            "runs": [run_row(context, run) for run in own_runs[:MAX_ROWS]],
            "what_ifs": own_what_ifs[:MAX_ROWS],
            "new_key": clock.new_id,
            "position": position,
        }

    return await render_page(request, "desk.html", consortium, build)


def run_row(context: PageContext, run: Run) -> RunRow:
    state, tone = STATES.get(run.state, (run.state, "fact"))
    number = len(run.causes)
    cause = f"made after {wording.counted_in_words(number, 'event')}" if number else "requested by a person"
    href = context.href(f"/desk/runs/{run.id}")
    return RunRow(run, href, state, tone, formatting.points(run.total_hundredths), cause)


class NewRunForm(forms.Form):
    """A plan with the default criteria."""

    consortium_id: UUID
    idempotency_key: UUID


class PublishForm(forms.Form):
    """The version of the draft that the page showed."""

    expected_version: int
    idempotency_key: UUID


@router.post("/desk/runs", dependencies=[Depends(require_same_origin)])
async def create_run(request: Request, caller: Coordinator) -> Response:
    """Request a plan."""
    form = await forms.read(request, NewRunForm)
    body = {"consortium_id": str(form.consortium_id)}
    command = ApiCommand("POST", "/runs", body, None, form.idempotency_key)
    run = await request.app.state.user_client.send(caller.token, command)
    return RedirectResponse(f"/desk/runs/{run['id']}", 303)


@router.post("/desk/runs/{id}/publish", dependencies=[Depends(require_same_origin)])
async def publish(request: Request, caller: Coordinator, id: UUID) -> Response:
    """Publish a draft."""
    form = await forms.read(request, PublishForm)
    command = ApiCommand("POST", f"/runs/{id}/publication", {}, form.expected_version, form.idempotency_key)
    await request.app.state.user_client.send(caller.token, command)
    return RedirectResponse(f"/desk/runs/{id}", 303)
