"""`/mentorships/{id}/…`: the forms with which the two sides of a mentorship act."""

from typing import Any, Literal
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field

from services.console.api.user_client import ApiCommand
from services.console.pages.pairs import Role
from services.console.request import forms
from services.console.request.session import SignedIn, SignedInUser, require_same_origin
from shared.dates import Day
from shared.web import Router

router = Router(dependencies=[Depends(require_same_origin)], include_in_schema=False)

Action = Literal["confirm", "check-in", "meeting", "end", "progress"]


class ConfirmForm(forms.Form):
    """One side confirms the agreement."""

    side: Role
    expected_version: int
    idempotency_key: UUID


class CheckInForm(forms.Form):
    """One side reports how the mentorship goes."""

    side: Role
    feeling: int = Field(ge=1, le=5)
    text: str = Field(default="", max_length=2000)
    idempotency_key: UUID


class MeetingForm(forms.Form):
    """A planned or held meeting."""

    state: Literal["planned", "held"]
    on: Day
    minutes: int = Field(default=60, ge=1, le=24 * 60)
    idempotency_key: UUID


class ProgressForm(forms.Form):
    """The level that a goal has reached."""

    goal: str = Field(pattern=r"^[a-z0-9._-]{1,80}/[a-z0-9._-]{1,80}$", description="framework/indicator")
    reached: int = Field(ge=0, le=100)
    idempotency_key: UUID


class EndForm(forms.Form):
    """How the mentorship ends."""

    side: Role
    how: Literal["completed", "early"]
    reason: str = Field(default="", max_length=500)
    expected_version: int
    idempotency_key: UUID


@router.post("/mentorships/{id}/confirm")
async def confirm(request: Request, caller: SignedIn, id: UUID) -> Response:
    """Confirm the agreement for one side."""
    form = await forms.read(request, ConfirmForm)
    path, body = f"/mentorships/{id}/confirmations", {"side": form.side}
    command = ApiCommand("POST", path, body, form.expected_version, form.idempotency_key)
    return await _send(request, caller, id, "confirm", command)


@router.post("/mentorships/{id}/check-in")
async def check_in(request: Request, caller: SignedIn, id: UUID) -> Response:
    """Check in for one side."""
    form = await forms.read(request, CheckInForm)
    body = {"side": form.side, "feeling": form.feeling, "text": form.text}
    command = ApiCommand("POST", f"/mentorships/{id}/check-ins", body, None, form.idempotency_key)
    return await _send(request, caller, id, "check-in", command)


@router.post("/mentorships/{id}/meeting")
async def meeting(request: Request, caller: SignedIn, id: UUID) -> Response:
    """Plan or report a meeting."""
    form = await forms.read(request, MeetingForm)
    body = {"state": form.state, "on": form.on.isoformat(), "minutes": form.minutes}
    command = ApiCommand("POST", f"/mentorships/{id}/meetings", body, None, form.idempotency_key)
    return await _send(request, caller, id, "meeting", command)


@router.post("/mentorships/{id}/progress")
async def progress(request: Request, caller: SignedIn, id: UUID) -> Response:
    """Report the level that a goal has reached."""
    form = await forms.read(request, ProgressForm)
    path, body = f"/mentorships/{id}/goals/{form.goal}", {"reached": form.reached}
    return await _send(request, caller, id, "progress", ApiCommand("PUT", path, body, None, form.idempotency_key))


@router.post("/mentorships/{id}/end")
async def end(request: Request, caller: SignedIn, id: UUID) -> Response:
    """End the mentorship."""
    form = await forms.read(request, EndForm)
    body: dict[str, Any] = {"side": form.side, "how": form.how} | ({"reason": form.reason} if form.reason else {})
    command = ApiCommand("POST", f"/mentorships/{id}/ending", body, form.expected_version, form.idempotency_key)
    return await _send(request, caller, id, "end", command)


async def _send(request: Request, caller: SignedInUser, id: UUID, action: Action, command: ApiCommand) -> Response:
    await request.app.state.user_client.send(caller.token, command)
    return RedirectResponse(f"/mentorships/{id}?done={action}", 303)
