"""`/pairs`: published pairs, and the replies of both sides to proposals."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field, model_validator

from services.matching.commands import proposal_replies
from services.matching.queries import pairs as queries
from services.matching.rules.inputs.criteria import Role
from shared import clock
from shared.auth import Anyone, Manager
from shared.errors import Forbidden
from shared.web import IfMatch, Page, Paging, Read, RequestModel, ResponseModel, Router, ShortText, Tx, etag

router = Router()
State = Literal["proposed", "accepted", "declined", "expired", "withdrawn", "ended"]


class TermView(ResponseModel):
    """One term of a score, in hundredths of a point, with its reason. A term without data (not `known`) counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class CauseView(ResponseModel):
    """The event that caused a decision."""

    event_id: UUID
    type: str
    cluster_id: UUID | None


class PairView(ResponseModel):
    """A mentor and a learner, with the terms of their score."""

    id: UUID
    consortium_id: UUID
    run_id: UUID | None
    request_id: UUID | None
    mentor_id: UUID
    learner_id: UUID
    score_hundredths: int = Field(validation_alias="score")
    terms: list[TermView]
    state: str
    mentor_answer: str | None
    learner_answer: str | None
    reason: str | None = Field(description="the reason of the side that declined, if it gave one")
    cause: CauseView | None = Field(
        description="the event that led to the proposal; null if a person requested the plan"
    )
    expires_at: datetime | None = Field(description="the end of the time to reply")
    version: int


class NewAnswer(RequestModel):
    """The reply of one side."""

    side: Role
    answer: Literal["accept", "decline"]
    reason: ShortText | None = Field(default=None, description="why the side declines; visible in the consortium")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.reason is not None and self.answer == "accept":
            raise ValueError("Only a decline can have a reason.")
        return self


@router.get("/pairs")
async def list_pairs(
    caller: Anyone,
    db: Read,
    paging: Paging,
    state: Annotated[State | None, Query()] = None,
) -> Page[PairView]:
    """The published pairs of the caller's consortium, oldest first."""
    rows = await queries.pairs(db, caller.scope(), state, paging.after, paging.limit + 1)
    return paging.page([PairView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/pairs/{id}")
async def show_pair(caller: Anyone, db: Read, id: UUID, response: Response) -> PairView:
    """One published pair."""
    pair = await queries.pair(db, id, caller.within)
    etag(response, pair.version)
    return PairView.model_validate(pair)


@router.post("/pairs/{id}/answers")
async def answer_pair(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewAnswer, response: Response
) -> PairView:
    """Accept or decline a proposal for one side. When both sides have accepted, each takes a slot.

    After a decline the next best mentor with a free slot is proposed.
    """
    pair = await proposal_replies.lock_proposal(tx, id, caller.within)
    if not caller.speaks_for(pair.cluster_of(body.side), pair.consortium_id):
        raise Forbidden("not-your-side", f"You do not act for the {body.side} of this pair.")
    reply = proposal_replies.ProposalReply(body.side, body.answer == "accept", body.reason)
    await proposal_replies.reply_to_proposal(tx, pair, expected_version, reply, clock.now())
    etag(response, pair.version)
    return PairView.model_validate(pair)
