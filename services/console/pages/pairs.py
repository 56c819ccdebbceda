"""`/pairs`: who should learn from whom, and why."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.models import Pair, Run, ServiceRequest
from services.console.api.user_client import Deed, acting_of
from services.console.request import forms
from services.console.request.page_context import Visit, show
from services.console.request.session import Person, Visitor, from_here
from services.console.view import labels
from services.console.view.charts import terms
from services.console.view.truncation import Cut, cut
from shared import clock
from shared.auth import public
from shared.web import Router

router = Router(include_in_schema=False)

Side = Literal["mentor", "learner"]
Word = Literal["accept", "decline"]
DID: dict[Word, str] = {
    "accept": "You have said yes. When the other side has too, your mentorship begins.",
    "decline": "You have said no. The next best mentor is asked, if there is one with a place.",
}

STATES = (
    ("proposed", "Proposed", "Both sides are asked. A pair begins when both have said yes."),
    ("accepted", "Accepted", "Both sides said yes; a place on each side is taken."),
    ("declined", "Declined", "One side said no."),
    ("expired", "Expired", "It was not answered in time."),
    ("ended", "Over", "They worked together; their mentorship is over."),
    ("withdrawn", "Withdrawn", "It was overtaken: by a newer plan, by another pair, or because a side is full."),
)


class PairCard(NamedTuple):
    """A pair as pages show it."""

    pair: Pair
    mentor: str
    mentor_href: str | None
    learner: str
    learner_href: str | None
    points: str
    reason: str
    origin: str
    answers: str
    until: str
    chart: terms.TermChart


class Group(NamedTuple):
    """The pairs in one state, the best first."""

    state: str
    title: str
    meaning: str
    cards: Cut[PairCard]


class Origins(NamedTuple):
    """Where pairs come from."""

    runs: dict[UUID, Run]
    requests: dict[UUID, ServiceRequest]


@router.get("/pairs", dependencies=[public()])
async def pairs(
    request: Request,
    did: Annotated[Word | None, Query()] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """All pairs of the consortium that were proposed; first those that wait for the visitor's answer."""

    async def build(visit: Visit) -> dict[str, Any]:
        newest = await visit.newest()
        shown = await cards(visit)
        groups = [Group(*state, cut([card for card in shown if card.pair.state == state[0]])) for state in STATES]
        mine = _waiting(request.scope["kei.visitor"], shown)
        values = {"groups": [group for group in groups if group.cards.head], "mine": mine, "once": clock.new_id}
        return values | {"did": DID[did] if did else "", "newest": newest}

    return await show(request, "pairs.html", consortium, build)


class Asked(NamedTuple):
    """A proposal that waits for the answer of sides for which the visitor speaks."""

    card: PairCard
    sides: list[Side]


def _waiting(caller: Visitor | None, shown: Sequence[PairCard]) -> list[Asked]:
    """What a manager can answer, for their own cluster; others who may act for all are not asked for each."""
    if caller is None or caller.principal.cluster is None:
        return []
    found = []
    for card in shown:
        pair, own = card.pair, caller.principal.cluster
        clusters: dict[Side, UUID] = {"mentor": pair.mentor_id, "learner": pair.learner_id}
        sides = [side for side, id in clusters.items() if id == own and getattr(pair, f"{side}_answer") is None]
        if pair.state == "proposed" and sides:
            found.append(Asked(card, sides))
    return found


class Answer(forms.Form):
    """What one side says to a proposal."""

    side: Side
    answer: Word
    reason: str = Field(default="", max_length=500)
    expected_version: int
    once: UUID


@router.post("/pairs/{id}/answer", dependencies=[Depends(from_here)])
async def answer(request: Request, caller: Person, id: UUID) -> Response:
    """Accept or decline a proposal for one side."""
    form = await forms.read(request, Answer)
    body: dict[str, str] = {"side": form.side, "answer": form.answer}
    if form.reason and form.answer == "decline":
        body["reason"] = form.reason
    done = await acting_of(request).do(
        caller, Deed("POST", f"/pairs/{id}/answers", body, form.expected_version, form.once)
    )
    if done.get("state") == "accepted":
        return RedirectResponse(f"/mentorships/{id}", 303)
    return RedirectResponse(f"/pairs?did={form.answer}", 303)


async def cards(visit: Visit, of: UUID | None = None) -> list[PairCard]:
    """The consortium's pairs, the best first; only those of one cluster, if one is given."""
    found, runs, requests = await asyncio.gather(
        visit.ask(visit.clients.pairs(), []),
        visit.ask(visit.clients.runs(), []),
        visit.ask(visit.clients.requests(), []),
    )
    origins = Origins({run.id: run for run in runs}, {one.id: one for one in requests})
    ours = [pair for pair in found if visit.consortium and pair.consortium_id == visit.consortium.id]
    ours = [pair for pair in ours if of is None or of in (pair.mentor_id, pair.learner_id)]
    ours.sort(key=lambda pair: -pair.score_hundredths)
    return [_card(visit, pair, origins, number) for number, pair in enumerate(ours)]


def _card(visit: Visit, pair: Pair, origins: Origins, number: int) -> PairCard:
    mentor, learner = visit.name(pair.mentor_id), visit.name(pair.learner_id)
    title = f"What the score of {mentor} teaching {learner} is made of"
    return PairCard(
        pair=pair,
        mentor=mentor,
        mentor_href=visit.cluster_href(pair.mentor_id),
        learner=learner,
        learner_href=visit.cluster_href(pair.learner_id),
        points=labels.points(pair.score_hundredths),
        reason=_reason(pair),
        origin=_origin(visit, pair, origins),
        answers=_answers(pair, mentor, learner),
        until=f"It can be answered until {labels.day(pair.expires_at)}" if pair.expires_at else "",
        chart=terms.chart(f"pair-{number}", title, pair.terms),
    )


def _reason(pair: Pair) -> str:
    """The sentence that says most: the request it answers, else the knowledge to gain, else the greatest term."""
    said = {term.term: term.reason for term in pair.terms if term.hundredths}
    greatest = max(pair.terms, key=lambda term: term.hundredths).reason if pair.terms else ""
    return said.get("requests" if pair.request_id else "knowledge", said.get("knowledge", greatest))


def _origin(visit: Visit, pair: Pair, origins: Origins) -> str:
    if pair.request_id is not None:
        request = origins.requests.get(pair.request_id)
        if request is None:
            return "Answers a request for help"
        skill = visit.skill(request.framework, request.indicator).lower()
        return f"Answers the request of {visit.name(request.cluster_id)} for help with {skill}"
    run = origins.runs.get(pair.run_id) if pair.run_id else None
    return f"From the plan of {labels.day(run.created_at)}" if run else "From a plan for the whole consortium"


def _answers(pair: Pair, mentor: str, learner: str) -> str:
    sides: Sequence[tuple[str, str | None]] = ((mentor, pair.mentor_answer), (learner, pair.learner_answer))
    if not any(answer for _, answer in sides):
        return "Nobody has answered yet"
    said = {"accept": "said yes", "accepted": "said yes", "decline": "said no", "declined": "said no"}
    return "; ".join(f"{name} {said.get(answer or '', 'has not answered yet')}" for name, answer in sides)
