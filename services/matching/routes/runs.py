"""`/runs`, `/pairs` and the projection's `/projection`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from services.matching.commands import pairs as pair_commands
from services.matching.commands import projection, runs
from services.matching.queries import projection as projected
from services.matching.queries import runs as queries
from shared import clock
from shared.auth import Anyone, Coordinator, Manager, Operator
from shared.errors import Forbidden, NotFound
from shared.web import Body, IfMatch, Page, Paging, Read, Router, Tx, View, etag

router = Router()


class NewRun(Body):
    """The consortium to plan for."""

    consortium_id: UUID


class TermView(View):
    """One term of a score, in hundredths of a point, with its reason."""

    term: str
    hundredths: int
    reason: str


class PairView(View):
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
    version: int


class RunView(View):
    """A plan for a consortium."""

    id: UUID
    consortium_id: UUID
    state: str
    total_hundredths: int = Field(validation_alias="total")
    criteria: dict[str, int]
    inputs_hash: str
    solver: str
    version: int
    created_at: datetime


class RunWithPairs(View):
    """A plan with its pairs, the best first."""

    run: RunView
    pairs: list[PairView]


class NewAnswer(Body):
    """What one side says."""

    side: Literal["mentor", "learner"]
    answer: Literal["accept", "decline"]


class ProjectionView(View):
    """The fingerprint of what matching knows from events."""

    state_hash: str


@router.post("/runs", status_code=201)
async def make_run(who: Coordinator, tx: Tx, body: NewRun, request: Request, response: Response) -> RunView:
    """Plan the consortium: the best pairs under both sides' capacities, as a draft."""
    if not who.within(body.consortium_id):
        raise NotFound("no-such-consortium", "There is no such consortium.", field="consortium_id")
    run = await runs.plan(tx, clock.new_id(), body.consortium_id, request.app.state.solve)
    response.headers["Location"] = f"runs/{run.id}"
    etag(response, run.version)
    return RunView.model_validate(run)


@router.get("/runs")
async def list_runs(who: Anyone, db: Read, paging: Paging) -> Page[RunView]:
    """The runs of the caller's consortium, oldest first."""
    rows = await queries.runs(db, who.scope(), paging.after, paging.limit + 1)
    return paging.page([RunView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/runs/{id}")
async def show_run(who: Anyone, db: Read, id: UUID, response: Response) -> RunWithPairs:
    """One run with its pairs."""
    run = await queries.run(db, id, who.within)
    etag(response, run.version)
    pairs = [PairView.model_validate(row) for row in await queries.pairs_of(db, id)]
    return RunWithPairs(run=RunView.model_validate(run), pairs=pairs)


@router.post("/runs/{id}/publication")
async def publish_run(who: Coordinator, tx: Tx, id: UUID, seen: IfMatch, response: Response) -> RunView:
    """Publish the run: its pairs are proposed."""
    run = await runs.publish(tx, id, seen, who.within)
    etag(response, run.version)
    return RunView.model_validate(run)


@router.get("/pairs")
async def list_pairs(
    who: Anyone,
    db: Read,
    paging: Paging,
    state: Annotated[Literal["proposed", "accepted", "declined"] | None, Query()] = None,
) -> Page[PairView]:
    """The pairs of the caller's consortium that were proposed, oldest first."""
    rows = await queries.pairs(db, who.scope(), state, paging.after, paging.limit + 1)
    return paging.page([PairView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/pairs/{id}")
async def show_pair(who: Anyone, db: Read, id: UUID, response: Response) -> PairView:
    """One pair."""
    pair = await queries.pair(db, id, who.within)
    etag(response, pair.version)
    return PairView.model_validate(pair)


@router.post("/pairs/{id}/answers")
async def answer_pair(who: Manager, tx: Tx, id: UUID, seen: IfMatch, body: NewAnswer, response: Response) -> PairView:
    """Accept or decline a proposal for one side. When both have accepted, a place on each side is taken."""
    pair = await pair_commands.proposed(tx, id, who.within)
    if not who.speaks_for(getattr(pair, f"{body.side}_id"), pair.consortium_id):
        raise Forbidden("not-your-side", f"You do not speak for the {body.side} of this pair.")
    await pair_commands.answer(tx, pair, seen, pair_commands.Answer(body.side, body.answer == "accept"))
    etag(response, pair.version)
    return PairView.model_validate(pair)


@router.get("/projection")
async def show_projection(who: Operator, db: Read) -> ProjectionView:
    """The fingerprint of the projection: the same events give the same, in whatever order they came."""
    return ProjectionView(state_hash=await projected.state_hash(db))


@router.delete("/projection", status_code=204)
async def forget_projection(who: Operator, tx: Tx) -> None:
    """Empty the projection, to be built anew by replaying members' and trainings' events. Runs and pairs stay."""
    await projection.forget(tx, "matching")
