"""`/mentorships`: who works together, how it goes, and what to do next."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.mentorship_models import Mentorship
from services.console.api.models import Term
from services.console.api.user_client import Deed, acting_of
from services.console.pages.pairs import Side
from services.console.request import forms
from services.console.request.page_context import Visit, show
from services.console.request.session import Person, Visitor, from_here
from services.console.view.charts import goals as goal_chart
from services.console.view.charts import terms
from shared import clock
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

SIDES: tuple[Side, ...] = ("mentor", "learner")
Done = Literal["confirm", "check-in", "meeting", "end", "progress"]
DID = {
    "confirm": "You have confirmed what you set out to do.",
    "check-in": "What you said is kept, for the two of you.",
    "meeting": "The meeting is noted.",
    "end": "The mentorship is over. Both of you are asked how it went.",
    "progress": "The level that you reached is noted.",
}
PARTS = {
    "first_meeting": "First meeting",
    "rhythm": "Rhythm",
    "goals": "Goals",
    "check_ins": "Check-ins",
    "sentiment": "How they feel",
}
STATES = (
    ("active", "At work", "Both sides have confirmed what they set out to do. Those that need help most come first."),
    ("agreed", "To be confirmed", "Both said yes; now both should read what they set out to do."),
    ("completed", "Completed", "The learner's next assessment confirms what was gained."),
    ("ended", "Ended early", "One side ended it, or nothing was heard of it for long."),
)
MEETINGS = {"planned": "Planned", "held": "Held", "cancelled": "Cancelled"}


class Card(NamedTuple):
    """A mentorship as lists show it."""

    one: Mentorship
    mentor: str
    learner: str
    href: str
    figure: str


class Group(NamedTuple):
    """The mentorships in one state."""

    state: str
    title: str
    meaning: str
    cards: list[Card]


@router.get("/mentorships", dependencies=[public()])
async def mentorships(
    request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """All mentorships of the consortium."""

    async def build(visit: Visit) -> dict[str, Any]:
        newest = await visit.newest()
        found = await visit.ask(visit.clients.mentorships(), [])
        ours = [one for one in found if visit.consortium and one.consortium_id == visit.consortium.id]
        ours.sort(key=lambda one: (one.health is None, one.health or 0, -(one.outcome or 0)))
        shown = [card(visit, one) for one in ours]
        groups = [Group(*state, [one for one in shown if one.one.state == state[0]]) for state in STATES]
        return {"groups": [group for group in groups if group.cards], "newest": newest}

    return await show(request, "mentorships.html", consortium, build)


def card(visit: Visit, one: Mentorship) -> Card:
    """One as lists show it."""
    figure = f"health {one.health}" if one.health is not None else ""
    if one.outcome is not None:
        figure = f"outcome {one.outcome} of 100"
    href = visit.href(f"/mentorships/{one.id}")
    return Card(one, visit.name(one.mentor_id), visit.name(one.learner_id), href, figure)


@router.get("/mentorships/{id}", dependencies=[public()])
async def mentorship(
    request: Request,
    id: UUID,
    did: Annotated[Done | None, Query()] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One mentorship: goals, meetings, health, next step; and for its two sides, what they can do."""

    async def build(visit: Visit) -> dict[str, Any]:
        newest = await visit.newest()
        found = await visit.ask(visit.clients.mentorship(id), None)
        visit.need("matching")
        if found is None:
            raise NotFound("no-such-mentorship", "There is no such mentorship.")
        more = {"did": DID.get(did or "", ""), "newest": newest}
        return _whole(visit, found) | _mine(request.scope["kei.visitor"], found) | more

    return await show(request, "mentorship.html", consortium, build)


def _whole(visit: Visit, one: Mentorship) -> dict[str, Any]:
    shown = card(visit, one)
    named = [(visit.skill(goal.framework, goal.indicator), goal) for goal in one.goals]
    scale = max([visit.scale(goal.framework) for goal in one.goals], default=5)
    parts = [Term(term=part.part, hundredths=100 * part.points, reason=part.reason) for part in one.health_parts]
    title = f"What the health of {shown.mentor} and {shown.learner} is made of"
    chart = terms.chart("health", title, parts)
    return {
        "card": shown,
        "one": one,
        "goals": named,
        "goal_chart": goal_chart.chart("goals", f"Goals of {shown.learner}", scale, named),
        "health_chart": chart if parts else None,
        "health_parts": [
            (shade, PARTS.get(part.part, shade.name), part)
            for shade, part in zip(chart.parts, one.health_parts, strict=True)
        ],
        "meetings": [(meeting, MEETINGS.get(meeting.state, meeting.state)) for meeting in reversed(one.meetings)],
        "mentor_href": visit.cluster_href(one.mentor_id),
        "learner_href": visit.cluster_href(one.learner_id),
    }


def _mine(caller: Visitor | None, one: Mentorship) -> dict[str, Any]:
    """The sides for which the visitor may act, and those of them that have not confirmed."""
    sides: Sequence[Side] = [
        side for side in SIDES if caller and caller.speaks_for(_cluster(one, side), one.consortium_id)
    ]
    unconfirmed = [side for side in sides if getattr(one, f"{side}_confirmed_at") is None]
    return {"sides": sides, "unconfirmed": unconfirmed, "once": clock.new_id, "today": clock.now().date()}


def _cluster(one: Mentorship, side: Side) -> UUID:
    return one.mentor_id if side == "mentor" else one.learner_id


# --- what its two sides do


class Confirmation(forms.Form):
    """One side agrees."""

    side: Side
    expected_version: int
    once: UUID


class CheckIn(forms.Form):
    """How it goes."""

    side: Side
    feeling: int = Field(ge=1, le=5)
    text: str = Field(default="", max_length=2000)
    once: UUID


class Meeting(forms.Form):
    """A meeting that is planned or was held."""

    state: Literal["planned", "held"]
    on: date
    minutes: int = Field(default=60, ge=1, le=24 * 60)
    once: UUID


class Progress(forms.Form):
    """The level that a goal has reached."""

    goal: str = Field(pattern=r"^[a-z0-9._-]{1,80}/[a-z0-9._-]{1,80}$", description="framework/indicator")
    reached: int = Field(ge=0, le=100)
    once: UUID


class Ending(forms.Form):
    """How it ends."""

    side: Side
    how: Literal["completed", "early"]
    reason: str = Field(default="", max_length=500)
    expected_version: int
    once: UUID


@router.post("/mentorships/{id}/confirm", dependencies=[Depends(from_here)])
async def confirm(request: Request, caller: Person, id: UUID) -> Response:
    """Agree for one side."""
    form = await forms.read(request, Confirmation)
    deed = Deed("POST", f"/mentorships/{id}/confirmations", {"side": form.side}, form.expected_version, form.once)
    return await _do(request, caller, id, "confirm", deed)


@router.post("/mentorships/{id}/check-in", dependencies=[Depends(from_here)])
async def check_in(request: Request, caller: Person, id: UUID) -> Response:
    """Say how it goes."""
    form = await forms.read(request, CheckIn)
    body = {"side": form.side, "feeling": form.feeling, "text": form.text}
    return await _do(
        request, caller, id, "check-in", Deed("POST", f"/mentorships/{id}/check-ins", body, None, form.once)
    )


@router.post("/mentorships/{id}/meeting", dependencies=[Depends(from_here)])
async def meeting(request: Request, caller: Person, id: UUID) -> Response:
    """Plan or report a meeting."""
    form = await forms.read(request, Meeting)
    body = {"state": form.state, "on": form.on.isoformat(), "minutes": form.minutes}
    return await _do(request, caller, id, "meeting", Deed("POST", f"/mentorships/{id}/meetings", body, None, form.once))


@router.post("/mentorships/{id}/progress", dependencies=[Depends(from_here)])
async def progress(request: Request, caller: Person, id: UUID) -> Response:
    """Say which level a goal has reached."""
    form = await forms.read(request, Progress)
    path = f"/mentorships/{id}/goals/{form.goal}"
    return await _do(request, caller, id, "progress", Deed("PUT", path, {"reached": form.reached}, None, form.once))


@router.post("/mentorships/{id}/end", dependencies=[Depends(from_here)])
async def end(request: Request, caller: Person, id: UUID) -> Response:
    """End it."""
    form = await forms.read(request, Ending)
    body: dict[str, Any] = {"side": form.side, "how": form.how} | ({"reason": form.reason} if form.reason else {})
    return await _do(
        request, caller, id, "end", Deed("POST", f"/mentorships/{id}/ending", body, form.expected_version, form.once)
    )


async def _do(request: Request, caller: Visitor, id: UUID, done: Done, deed: Deed) -> Response:
    await acting_of(request).do(caller, deed)
    return RedirectResponse(f"/mentorships/{id}?did={done}", 303)
