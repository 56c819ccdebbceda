"""`/trainings`: trainings and visits with their seats, participants and gains."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.trainings import Activity, Registration
from services.console.request.page_context import PageContext, render_page
from services.console.view import formatting, labels
from shared import wording
from shared.auth import public
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)


class Participant(NamedTuple):
    """A cluster with its seats; `description` is the state of the registration as text."""

    name: str
    href: str | None
    seats: int
    state: str
    description: str


class IndicatorGain(NamedTuple):
    """Levels that each participant gains in an indicator."""

    title: str
    levels: int


class ActivityCard(NamedTuple):
    """An activity on a page."""

    activity: Activity
    kind: str
    state: str
    dates: str
    host: str
    host_href: str | None
    seated: list[Participant]
    waitlisted: list[Participant]
    gains: list[IndicatorGain]

    @property
    def present(self) -> list[Participant]:
        """The clusters that took part, or will."""
        return [participant for participant in self.seated if participant.state != "absent"]

    @property
    def absent(self) -> list[Participant]:
        """The clusters that had seats and did not take part."""
        return [participant for participant in self.seated if participant.state == "absent"]


@router.get("/trainings")
async def trainings(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """All activities of the consortium."""

    async def build(context: PageContext) -> dict[str, Any]:
        cards = await activity_cards(context, await context.or_default(context.api.trainings.activities(), []))
        return {
            "open": [card for card in cards if card.activity.state == "published"],
            "past": [card for card in cards if card.activity.state == "completed"],
        }

    return await render_page(request, "trainings.html", consortium, build)


async def activity_cards(context: PageContext, activities: Sequence[Activity]) -> list[ActivityCard]:
    """The consortium's activities without drafts, the newest first."""
    shown = [
        activity
        for activity in activities
        if context.consortium and activity.consortium_id == context.consortium.id and activity.state != "draft"
    ]
    shown.sort(key=lambda activity: activity.starts_on, reverse=True)
    registrations = await asyncio.gather(
        *(context.or_default(context.api.trainings.registrations(activity.id), []) for activity in shown)
    )
    return [_card(context, activity, registered) for activity, registered in zip(shown, registrations, strict=True)]


def _card(context: PageContext, activity: Activity, registrations: Sequence[Registration]) -> ActivityCard:
    return ActivityCard(
        activity=activity,
        kind=labels.ACTIVITY_KINDS.get(activity.kind, formatting.title(activity.kind)),
        state=labels.ACTIVITY_STATES.get(activity.state, formatting.title(activity.state)),
        dates=wording.period(activity.starts_on, activity.ends_on),
        host=context.cluster_name(activity.host_cluster_id),
        host_href=context.cluster_href(activity.host_cluster_id),
        seated=[
            _participant(context, registration)
            for registration in registrations
            if registration.state not in {"waitlisted", "cancelled"}
        ],
        waitlisted=[
            _participant(context, registration) for registration in registrations if registration.state == "waitlisted"
        ],
        gains=[
            IndicatorGain(context.indicator_title(taught.framework, taught.indicator), taught.gain)
            for taught in activity.teaches
        ],
    )


_DESCRIPTIONS = {"confirmed": "confirmed", "attended": "took part", "absent": "did not take part"}


def _participant(context: PageContext, registration: Registration) -> Participant:
    description = _DESCRIPTIONS.get(registration.state, registration.state)
    if registration.state == "waitlisted" and registration.place_in_queue:
        description = f"number {registration.place_in_queue} on the waiting list"
    return Participant(
        context.cluster_name(registration.cluster_id),
        context.cluster_href(registration.cluster_id),
        registration.seats,
        registration.state,
        description,
    )
