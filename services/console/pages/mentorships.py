"""`/mentorships`: the mentorships of the consortium, their health, goals and next steps."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.mentorships import Mentorship
from services.console.pages.mentorship_actions import Action
from services.console.pages.pairs import Role
from services.console.request.page_context import PageContext, render_page
from services.console.request.private_fields import may_read, without_private_fields
from services.console.request.session import SignedInUser, signed_in_user
from services.console.view.charts import goals as goal_chart
from services.console.view.charts import terms
from shared import clock
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

ROLES: tuple[Role, ...] = ("mentor", "learner")
CONFIRMATIONS: dict[Action, str] = {
    "confirm": "You have confirmed the agreement.",
    "check-in": "Your check-in is saved. Only the two sides and the coordinator can read it.",
    "meeting": "The meeting is saved.",
    "end": "The mentorship is over. Both sides are asked how it went.",
    "progress": "The level reached is saved.",
}
HEALTH_PARTS = {
    "first_meeting": "First meeting",
    "rhythm": "Rhythm",
    "goals": "Goals",
    "check_ins": "Check-ins",
    "sentiment": "Satisfaction",
}
STATES = (
    ("active", "Active", "Both sides have confirmed the agreement. Those with the lowest health come first."),
    ("agreed", "To be confirmed", "Both sides said yes and now confirm the agreement."),
    ("completed", "Completed", "The learner's next assessment confirms the gain."),
    ("ended", "Ended early", "One side ended it, or it was inactive for too long."),
)
MEETINGS = {"planned": "Planned", "held": "Held", "cancelled": "Cancelled"}


class MentorshipCard(NamedTuple):
    """A mentorship in a list."""

    mentorship: Mentorship
    mentor: str
    learner: str
    href: str
    figure: str


class HealthTerm(NamedTuple):
    """A part of the health as a term of the chart."""

    term: str
    hundredths: int
    reason: str


class MentorshipGroup(NamedTuple):
    """The mentorships in one state."""

    state: str
    title: str
    meaning: str
    cards: list[MentorshipCard]


@router.get("/mentorships")
async def mentorships(
    request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """All mentorships of the consortium."""

    async def build(context: PageContext) -> dict[str, Any]:
        position = await context.feed_position()
        all_mentorships = await context.or_default(context.api.matching.mentorships(), [])
        shown = [
            mentorship
            for mentorship in all_mentorships
            if context.consortium and mentorship.consortium_id == context.consortium.id
        ]
        shown.sort(key=lambda shown: (shown.health is None, shown.health or 0, -(shown.outcome or 0)))
        cards = [mentorship_card(context, mentorship) for mentorship in shown]
        groups = [
            MentorshipGroup(*state, [card for card in cards if card.mentorship.state == state[0]]) for state in STATES
        ]
        return {"groups": [group for group in groups if group.cards], "position": position}

    return await render_page(request, "mentorships.html", consortium, build)


def mentorship_card(context: PageContext, mentorship: Mentorship) -> MentorshipCard:
    figure = f"health {mentorship.health}" if mentorship.health is not None else ""
    if mentorship.outcome is not None:
        figure = f"outcome {mentorship.outcome} of 100"
    mentor, learner = context.cluster_name(mentorship.mentor_id), context.cluster_name(mentorship.learner_id)
    return MentorshipCard(mentorship, mentor, learner, context.href(f"/mentorships/{mentorship.id}"), figure)


@router.get("/mentorships/{id}")
async def mentorship(
    request: Request,
    id: UUID,
    done: Annotated[Action | None, Query()] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One mentorship, with forms for the managers of its two sides."""

    async def build(context: PageContext) -> dict[str, Any]:
        position = await context.feed_position()
        mentorship = await context.or_default(context.api.matching.mentorship(id), None)
        context.require("matching")
        if mentorship is None:
            raise NotFound("no-such-mentorship", "There is no such mentorship.")
        context.consortium = next((known for known in context.consortia if known.id == mentorship.consortium_id), None)
        user = signed_in_user(request)
        private = may_read(user, mentorship.consortium_id, {mentorship.mentor_id, mentorship.learner_id})
        return {
            **_details(context, mentorship if private else without_private_fields(mentorship)),
            **_own_roles(user, mentorship),
            "private": private,
            "done": CONFIRMATIONS[done] if done else "",
            "position": position,
        }

    return await render_page(request, "mentorship.html", consortium, build, of_consortium=False)


def _details(context: PageContext, mentorship: Mentorship) -> dict[str, Any]:
    card = mentorship_card(context, mentorship)
    titled = [(context.indicator_title(goal.framework, goal.indicator), goal) for goal in mentorship.goals]
    scale = max([context.scale(goal.framework) for goal in mentorship.goals], default=5)
    parts = [HealthTerm(part.part, 100 * part.points, part.reason) for part in mentorship.health_parts]
    chart = terms.chart("health", f"Parts of the health of {card.mentor} and {card.learner}", parts)
    return {
        "card": card,
        "mentorship": mentorship,
        "goals": titled,
        "goal_chart": goal_chart.chart("goals", f"Goals of {card.learner}", scale, titled),
        "health_chart": chart if parts else None,
        "health_parts": [
            (bar, HEALTH_PARTS.get(part.part, bar.name), part)
            for bar, part in zip(chart.parts, mentorship.health_parts, strict=True)
        ],
        "meetings": [
            (meeting, MEETINGS.get(meeting.state, meeting.state)) for meeting in reversed(mentorship.meetings)
        ],
        "mentor_href": context.cluster_href(mentorship.mentor_id),
        "learner_href": context.cluster_href(mentorship.learner_id),
    }


def _own_roles(user: SignedInUser | None, mentorship: Mentorship) -> dict[str, Any]:
    """The roles for which the user may act, and those of them that have not confirmed."""
    clusters: dict[Role, UUID] = {"mentor": mentorship.mentor_id, "learner": mentorship.learner_id}
    roles: Sequence[Role] = [
        role for role in ROLES if user and user.speaks_for(clusters[role], mentorship.consortium_id)
    ]
    unconfirmed = [role for role in roles if getattr(mentorship, f"{role}_confirmed_at") is None]
    return {"roles": roles, "unconfirmed": unconfirmed, "new_key": clock.new_id, "today": clock.now().date()}
