"""`/operations`: whether all is well, for operators, and what to do with events that could not be handled."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.operator_client import LISTED, Action, Letter, Operating, Service
from services.console.api.public_client import Away
from services.console.request import forms
from services.console.request.session import Operator, Visitor, from_here
from services.console.view import labels, status_text, templating
from shared import clock
from shared.status import ServiceReport, diagnose
from shared.web import ProblemError, Router

router = Router(include_in_schema=False)


class Dead(NamedTuple):
    """The dead letters of a service: how many there are, and the oldest of them; None if they cannot be read."""

    service: str
    total: int
    letters: list[Letter] | None


class Chosen(forms.Form):
    """Which dead letters of which service: all, if none is named. `once` is the form's own number."""

    service: Service
    event: list[UUID] = Field(default_factory=list, max_length=LISTED)
    once: UUID


@router.get("/operations")
async def operations(
    request: Request,
    caller: Operator,
    did: Annotated[Action | None, Query()] = None,
    service: Annotated[Service | None, Query()] = None,
    count: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> HTMLResponse:
    """How everything is."""
    operating: Operating = request.app.state.operating
    rows = await operating.rows(caller)
    found = diagnose(rows)
    values = {
        "nav": "/operations",
        "did": _did(did, service, count) if did and service else "",
        "verdict": status_text.verdict(found),
        "summary": status_text.summary(rows),
        "now": clock.now(),
        "findings": found,
        "kinds": status_text.KINDS,
        "services": [status_text.service(row, found) for row in rows],
        "topics": [line for row in rows for line in status_text.topics(row)],
        "dead": await _dead(operating, caller, rows),
        "once": clock.new_id,
    }
    return templating.page(request.scope, "operations.html", values)


async def _dead(operating: Operating, caller: Visitor, rows: Sequence[ServiceReport]) -> list[Dead]:
    async def of(service: str, total: int) -> Dead:
        try:
            return Dead(service, total, await operating.letters(caller, service))
        except Away:
            return Dead(service, total, None)

    return await asyncio.gather(*(of(row.service, row.told.dead) for row in rows if row.told and row.told.dead))


def _did(action: Action, service: str, count: int) -> str:
    if not count:
        return f"Nothing was done: {service} has no such dead letter any more."
    letters = labels.opening(labels.counted(count, f"dead letter of {service} is", f"dead letters of {service} are"))
    return f"{letters} handled again." if action == "retry" else f"{letters} given up for good."


@router.post("/operations/retry", dependencies=[Depends(from_here)])
async def retry(request: Request, caller: Operator) -> Response:
    """Have dead letters handled again."""
    chosen = await forms.read(request, Chosen)
    return await _handle(request, caller, "retry", chosen, chosen.event or None)


@router.get("/operations/discard")
async def confirm(
    request: Request, caller: Operator, service: Service, event: Annotated[UUID | None, Query()] = None
) -> Response:
    """Ask whether dead letters shall be given up: those that are shown, and none that come later."""
    try:
        letters = await request.app.state.operating.letters(caller, service)
    except Away as error:
        raise _away(service) from error
    chosen = [one for one in letters if event in (None, one.event_id)]
    if not chosen:
        return _back("discard", service, 0)
    values: dict[str, Any] = {"nav": "/operations", "service": service, "letters": chosen, "once": clock.new_id}
    return templating.page(request.scope, "discard.html", values | {"listed": LISTED})


@router.post("/operations/discard", dependencies=[Depends(from_here)])
async def discard(request: Request, caller: Operator) -> Response:
    """Give dead letters up, for good."""
    chosen = await forms.read(request, Chosen)
    return await _handle(request, caller, "discard", chosen, chosen.event)


async def _handle(
    request: Request, caller: Visitor, action: Action, chosen: Chosen, ids: Sequence[UUID] | None
) -> Response:
    operating: Operating = request.app.state.operating
    try:
        count = await operating.handle(caller, chosen.service, action, ids, chosen.once)
    except Away as error:
        raise _away(chosen.service) from error
    return _back(action, chosen.service, count)


def _back(action: Action, service: str, count: int) -> Response:
    return RedirectResponse(f"/operations?did={action}&service={service}&count={count}", 303)


def _away(service: str) -> ProblemError:
    detail = f"{service} gives no answer. Look at the page for operators, and try again when it is back."
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": "5"})
