"""`/pairs`: what was proposed, and what the two sides say to it."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field, model_validator

from services.matching.commands import proposal_replies
from services.matching.queries import pairs as queries
from shared import clock
from shared.auth import Anyone, Manager
from shared.errors import Forbidden
from shared.web import IfMatch, Page, Paging, Read, RequestModel, ResponseModel, Router, ShortText, Tx, etag

router = Router()
State = Literal["proposed", "accepted", "declined", "expired", "withdrawn", "ended"]


class TermView(ResponseModel):
    """One term of a score, in hundredths of a point, with its reason; where it is not `known`, it counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class CauseView(ResponseModel):
    """An event because of which something was decided."""

    event_id: UUID
    type: str
    cluster_id: UUID | None


class PairView(ResponseModel):
    """A mentor and a learner, and why."""

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
    reason: str | None = Field(description="what the side that declined said, if it did")
    cause: CauseView | None = Field(description="the event that led to the proposal; none if a person planned it")
    expires_at: datetime | None = Field(description="until when it can be answered")
    version: int


class NewAnswer(RequestModel):
    """What one side says."""

    side: Literal["mentor", "learner"]
    answer: Literal["accept", "decline"]
    reason: ShortText | None = Field(default=None, description="why it declines, for others of the consortium")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.reason is not None and self.answer == "accept":
            raise ValueError("A reason goes with a decline only.")
        return self


@router.get("/pairs")
async def list_pairs(
    caller: Anyone,
    db: Read,
    paging: Paging,
    state: Annotated[
        Literal["proposed", "accepted", "declined", "expired", "withdrawn", "ended"] | None, Query()
    ] = None,
) -> Page[PairView]:
    """The pairs of the caller's consortium that were proposed, oldest first."""
    rows = await queries.pairs(db, caller.scope(), state, paging.after, paging.limit + 1)
    return paging.page([PairView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/pairs/{id}")
async def show_pair(caller: Anyone, db: Read, id: UUID, response: Response) -> PairView:
    """One pair."""
    pair = await queries.pair(db, id, caller.within)
    etag(response, pair.version)
    return PairView.model_validate(pair)


@router.post("/pairs/{id}/answers")
async def answer_pair(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewAnswer, response: Response
) -> PairView:
    """Accept or decline a proposal for one side. When both have accepted, a place on each side is taken.

    Where one declines, the next best mentor with a free place is proposed.
    """
    pair = await proposal_replies.lock_proposal(tx, id, caller.within)
    if not caller.speaks_for(getattr(pair, f"{body.side}_id"), pair.consortium_id):
        raise Forbidden("not-your-side", f"You do not speak for the {body.side} of this pair.")
    given = proposal_replies.ProposalReply(body.side, body.answer == "accept", body.reason)
    await proposal_replies.reply(tx, pair, expected_version, given, clock.now())
    etag(response, pair.version)
    return PairView.model_validate(pair)
