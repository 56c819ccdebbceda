"""`/operations`: the status of the services, what to do, and the dead letters."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.models.operations import DeadLetter
from services.console.api.operator_client import MAX_DEAD_LETTERS, Action, OperatorClient, Service
from services.console.request import forms
from services.console.request.session import Operator, SignedInUser, require_same_origin
from services.console.view import formatting, status_text, templating
from shared import clock, wording
from shared.api_client import ServiceUnavailable
from shared.status import ServiceReport, diagnose
from shared.web import Router

router = Router(include_in_schema=False)


class DeadLetterSection(NamedTuple):
    """The number of dead letters of a service, and the oldest of them; None if they cannot be read."""

    service: str
    total: int
    letters: list[DeadLetter] | None


class DeadLetterForm(forms.Form):
    """Dead letters of a service: those with these event ids, or all."""

    service: Service
    event: list[UUID] = Field(default_factory=list, max_length=MAX_DEAD_LETTERS)
    idempotency_key: UUID


@router.get("/operations")
async def operations(
    request: Request,
    caller: Operator,
    done: Annotated[Action | None, Query()] = None,
    service: Annotated[Service | None, Query()] = None,
    count: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> HTMLResponse:
    """The status of the services."""
    client = _client(request)
    reports = await client.status(caller.token)
    findings = diagnose(reports)
    values = {
        "nav": "/operations",
        "done": _confirmation(done, service, count) if done and service else "",
        "verdict": status_text.verdict(findings),
        "summary": status_text.summary(reports),
        "now": clock.now(),
        "findings": findings,
        "tags": status_text.FINDING_TAGS,
        "services": [status_text.service_row(report, findings) for report in reports],
        "topics": [row for report in reports for row in status_text.topic_rows(report)],
        "dead": await _dead_letters(client, caller.token, reports),
        "new_key": clock.new_id,
    }
    return templating.page(request.scope, "operations.html", values)


def _client(request: Request) -> OperatorClient:
    client: OperatorClient = request.app.state.operator_client
    return client


async def _dead_letters(
    client: OperatorClient, token: str, reports: Sequence[ServiceReport]
) -> list[DeadLetterSection]:
    async def section(service: str, total: int) -> DeadLetterSection:
        try:
            return DeadLetterSection(service, total, await client.dead_letters(token, service))
        except ServiceUnavailable:
            return DeadLetterSection(service, total, None)

    counts = [(report.service, report.status.dead) for report in reports if report.status]
    return await asyncio.gather(*(section(service, dead) for service, dead in counts if dead))


def _confirmation(action: Action, service: str, count: int) -> str:
    if not count:
        return f"Nothing was done: {service} has no such dead letter any more."
    letters = formatting.capitalized(
        wording.counted_in_words(count, f"dead letter of {service} is", f"dead letters of {service} are")
    )
    return f"{letters} handled again." if action == "retry" else f"{letters} discarded for good."


@router.post("/operations/retry", dependencies=[Depends(require_same_origin)])
async def retry(request: Request, caller: Operator) -> Response:
    """Retry dead letters."""
    form = await forms.read(request, DeadLetterForm)
    return await _resolve(request, caller, "retry", form, form.event or None)


@router.get("/operations/discard")
async def confirm_discard(
    request: Request, caller: Operator, service: Service, event: Annotated[UUID | None, Query()] = None
) -> Response:
    """Ask for confirmation. The form names the dead letters on the page, so later ones are not discarded."""
    letters = await _client(request).dead_letters(caller.token, service)
    chosen = [letter for letter in letters if event in (None, letter.event_id)]
    if not chosen:
        return _redirect("discard", service, 0)
    values: dict[str, Any] = {"nav": "/operations", "service": service, "letters": chosen, "new_key": clock.new_id}
    return templating.page(request.scope, "discard.html", values | {"max_letters": MAX_DEAD_LETTERS})


@router.post("/operations/discard", dependencies=[Depends(require_same_origin)])
async def discard(request: Request, caller: Operator) -> Response:
    """Discard dead letters, for good."""
    form = await forms.read(request, DeadLetterForm)
    return await _resolve(request, caller, "discard", form, form.event)


async def _resolve(
    request: Request, caller: SignedInUser, action: Action, form: DeadLetterForm, ids: Sequence[UUID] | None
) -> Response:
    count = await _client(request).resolve(caller.token, form.service, action, ids, form.idempotency_key)
    return _redirect(action, form.service, count)


def _redirect(action: Action, service: str, count: int) -> Response:
    return RedirectResponse(f"/operations?done={action}&service={service}&count={count}", 303)
