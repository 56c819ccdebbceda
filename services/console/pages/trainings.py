"""`/trainings`: what the clusters do together, who has a seat, who was there, and what they took home."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models import Activity, Registration
from services.console.request.page_context import Visit, show
from services.console.view import labels
from shared.auth import public
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)


class Guest(NamedTuple):
    """A cluster with its seats. `word` says what became of them."""

    name: str
    href: str | None
    seats: int
    state: str
    word: str


class Gain(NamedTuple):
    """What everybody who was there gained, in levels."""

    skill: str
    levels: int


class ActivityCard(NamedTuple):
    """An activity as pages show it."""

    activity: Activity
    kind: str
    state: str
    when: str
    host: str
    host_href: str | None
    seated: list[Guest]
    waiting: list[Guest]
    gains: list[Gain]

    @property
    def there(self) -> list[Guest]:
        """The clusters that were there, or will be."""
        return [guest for guest in self.seated if guest.state != "absent"]

    @property
    def missing(self) -> list[Guest]:
        """The clusters that had seats and were not there."""
        return [guest for guest in self.seated if guest.state == "absent"]


@router.get("/trainings")
async def trainings(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """All activities of the consortium."""

    async def build(visit: Visit) -> dict[str, Any]:
        shown = await cards(visit, await visit.ask(visit.clients.activities(), []))
        return {
            "open": [card for card in shown if card.activity.state == "published"],
            "past": [card for card in shown if card.activity.state == "completed"],
        }

    return await show(request, "trainings.html", consortium, build)


async def cards(visit: Visit, activities: Sequence[Activity]) -> list[ActivityCard]:
    """The consortium's activities that are no drafts, the newest first."""
    ours = [one for one in activities if visit.consortium and one.consortium_id == visit.consortium.id]
    ours = sorted((one for one in ours if one.state != "draft"), key=lambda one: one.starts_on, reverse=True)
    registered = await asyncio.gather(*(visit.ask(visit.clients.registrations(one.id), []) for one in ours))
    return [_card(visit, one, guests) for one, guests in zip(ours, registered, strict=True)]


def _card(visit: Visit, activity: Activity, registrations: Sequence[Registration]) -> ActivityCard:
    return ActivityCard(
        activity=activity,
        kind=labels.ACTIVITY_KINDS.get(activity.kind, labels.tidy(activity.kind)),
        state=labels.ACTIVITY_STATES.get(activity.state, labels.tidy(activity.state)),
        when=labels.days(activity.starts_on, activity.ends_on),
        host=visit.name(activity.host_cluster_id),
        host_href=visit.cluster_href(activity.host_cluster_id),
        seated=[_guest(visit, one) for one in registrations if one.state not in {"waitlisted", "cancelled"}],
        waiting=[_guest(visit, one) for one in registrations if one.state == "waitlisted"],
        gains=[Gain(visit.skill(one.framework, one.indicator), one.gain) for one in activity.teaches],
    )


def _guest(visit: Visit, one: Registration) -> Guest:
    said = {"confirmed": "confirmed", "attended": "was there", "absent": "was not there"}.get(one.state, one.state)
    if one.state == "waitlisted" and one.place_in_queue:
        said = f"number {one.place_in_queue} in the queue"
    return Guest(visit.name(one.cluster_id), visit.cluster_href(one.cluster_id), one.seats, one.state, said)
