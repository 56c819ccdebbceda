"""`/pairs`: the pairs of the consortium with their scores, and the proposals that the user can answer."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.models.matching import Pair, Run
from services.console.api.models.members import ServiceRequest
from services.console.api.user_client import ApiCommand
from services.console.request import forms
from services.console.request.page_context import PageContext, render_page
from services.console.request.session import SignedIn, SignedInUser, require_same_origin, signed_in_user
from services.console.view import formatting
from services.console.view.charts import terms
from services.console.view.truncation import Truncated, truncate
from shared import clock, wording
from shared.auth import public
from shared.web import Router

router = Router(include_in_schema=False)

Role = Literal["mentor", "learner"]
Reply = Literal["accept", "decline"]
CONFIRMATIONS: dict[Reply, str] = {
    "accept": "You have said yes. The mentorship begins when the other side says yes too.",
    "decline": "You have said no. The next best mentor is asked, if one has a free slot.",
}

STATES = (
    ("proposed", "Proposed", "Both sides are asked. A mentorship begins when both have said yes."),
    ("accepted", "Accepted", "Both sides said yes; one slot on each side is taken."),
    ("declined", "Declined", "One side said no."),
    ("expired", "Expired", "It was not answered in time."),
    ("ended", "Ended", "The mentorship is over."),
    ("withdrawn", "Withdrawn", "Replaced by a newer plan or another pair, or one side has no free slot."),
)


class PairCard(NamedTuple):
    """A pair on a page."""

    pair: Pair
    mentor: str
    mentor_href: str | None
    learner: str
    learner_href: str | None
    points: str
    reason: str
    origin: str
    replies: str
    until: str
    chart: terms.TermChart


class PairGroup(NamedTuple):
    """The pairs in one state, the best first."""

    state: str
    title: str
    meaning: str
    cards: Truncated[PairCard]


class PairOrigins(NamedTuple):
    """What the pairs were proposed for."""

    runs: dict[UUID, Run]
    requests: dict[UUID, ServiceRequest]


@router.get("/pairs", dependencies=[public()])
async def pairs(
    request: Request,
    done: Annotated[Reply | None, Query()] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """All pairs of the consortium; first the proposals that the user can answer."""

    async def build(context: PageContext) -> dict[str, Any]:
        position = await context.feed_position()
        cards = await pair_cards(context)
        groups = [
            PairGroup(*state, truncate([card for card in cards if card.pair.state == state[0]])) for state in STATES
        ]
        return {
            "groups": [group for group in groups if group.cards.head],
            "to_answer": _to_answer(signed_in_user(request), cards),
            "new_key": clock.new_id,
            "done": CONFIRMATIONS[done] if done else "",
            "position": position,
        }

    return await render_page(request, "pairs.html", consortium, build)


class ProposalToAnswer(NamedTuple):
    """A proposal that the user has not answered, and the user's roles in it."""

    card: PairCard
    roles: list[Role]


def _to_answer(user: SignedInUser | None, cards: Sequence[PairCard]) -> list[ProposalToAnswer]:
    """The open proposals of the user's own cluster; users without a cluster get none."""
    if user is None or user.principal.cluster is None:
        return []
    proposals = []
    for card in cards:
        pair, own = card.pair, user.principal.cluster
        clusters: dict[Role, UUID] = {"mentor": pair.mentor_id, "learner": pair.learner_id}
        roles = [role for role, id in clusters.items() if id == own and getattr(pair, f"{role}_answer") is None]
        if pair.state == "proposed" and roles:
            proposals.append(ProposalToAnswer(card, roles))
    return proposals


class ReplyForm(forms.Form):
    """The reply of one side to a proposal."""

    side: Role
    answer: Reply
    reason: str = Field(default="", max_length=500)
    expected_version: int
    idempotency_key: UUID


@router.post("/pairs/{id}/answer", dependencies=[Depends(require_same_origin)])
async def answer(request: Request, caller: SignedIn, id: UUID) -> Response:
    """Accept or decline a proposal for one side."""
    form = await forms.read(request, ReplyForm)
    body: dict[str, str] = {"side": form.side, "answer": form.answer}
    if form.reason and form.answer == "decline":
        body["reason"] = form.reason
    command = ApiCommand("POST", f"/pairs/{id}/answers", body, form.expected_version, form.idempotency_key)
    pair = await request.app.state.user_client.send(caller.token, command)
    if pair.get("state") == "accepted":
        return RedirectResponse(f"/mentorships/{id}", 303)
    return RedirectResponse(f"/pairs?done={form.answer}", 303)


async def pair_cards(context: PageContext, cluster: UUID | None = None) -> list[PairCard]:
    """The consortium's pairs, the best first; those of one cluster if one is given."""
    all_pairs, runs, requests = await asyncio.gather(
        context.or_default(context.api.matching.pairs(), []),
        context.or_default(context.api.matching.runs(), []),
        context.or_default(context.api.members.requests(), []),
    )
    origins = PairOrigins({run.id: run for run in runs}, {request.id: request for request in requests})
    shown = [
        pair
        for pair in all_pairs
        if context.consortium
        and pair.consortium_id == context.consortium.id
        and cluster in {None, pair.mentor_id, pair.learner_id}
    ]
    shown.sort(key=lambda pair: -pair.score_hundredths)
    return [_card(context, pair, origins, number) for number, pair in enumerate(shown)]


def _card(context: PageContext, pair: Pair, origins: PairOrigins, number: int) -> PairCard:
    mentor, learner = context.cluster_name(pair.mentor_id), context.cluster_name(pair.learner_id)
    title = f"Terms of the score of {mentor} teaching {learner}"
    return PairCard(
        pair=pair,
        mentor=mentor,
        mentor_href=context.cluster_href(pair.mentor_id),
        learner=learner,
        learner_href=context.cluster_href(pair.learner_id),
        points=formatting.points(pair.score_hundredths),
        reason=_reason(pair),
        origin=_origin(context, pair, origins),
        replies=_replies(pair, mentor, learner),
        until=f"Answer it by {wording.day(pair.expires_at)}" if pair.expires_at else "",
        chart=terms.chart(f"pair-{number}", title, pair.terms),
    )


def _reason(pair: Pair) -> str:
    """The reason of the request term for pairs of a request, else of the knowledge term, else of the greatest."""
    reasons = {term.term: term.reason for term in pair.terms if term.hundredths}
    greatest = max(pair.terms, key=lambda term: term.hundredths).reason if pair.terms else ""
    return reasons.get("requests" if pair.request_id else "knowledge", reasons.get("knowledge", greatest))


def _origin(context: PageContext, pair: Pair, origins: PairOrigins) -> str:
    if pair.request_id is not None:
        request = origins.requests.get(pair.request_id)
        if request is None:
            return "For a request for help"
        title = context.indicator_title(request.framework, request.indicator).lower()
        return f"For the request of {context.cluster_name(request.cluster_id)} for help with {title}"
    run = origins.runs.get(pair.run_id) if pair.run_id else None
    return f"From the plan of {wording.day(run.created_at)}" if run else "From a plan for the whole consortium"


_REPLIES = {"accept": "said yes", "accepted": "said yes", "decline": "said no", "declined": "said no"}


def _replies(pair: Pair, mentor: str, learner: str) -> str:
    replies: Sequence[tuple[str, str | None]] = ((mentor, pair.mentor_answer), (learner, pair.learner_answer))
    if not any(reply for _, reply in replies):
        return "Neither side has answered yet"
    return "; ".join(f"{name} {_REPLIES.get(reply or '', 'has not answered yet')}" for name, reply in replies)
