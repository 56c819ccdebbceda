"""`/runs` and the projection's `/projection`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from services.matching.commands import projection, run_execution, run_publication, runs
from services.matching.queries import projection as projected
from services.matching.queries import runs as queries
from services.matching.routes.criteria import ByCriteria
from services.matching.routes.pairs import CauseView, PairView
from services.matching.rules.explaining.move_frontier import MoveFrontier
from services.matching.rules.explaining.plan_diff import Replay, compare_replay
from services.matching.rules.inputs.plan_input import PairKey
from services.matching.rules.inputs.plan_models import Explanation, Plan
from shared import clock
from shared.auth import Anyone, Coordinator, Operator
from shared.db import WriteSession
from shared.errors import NotFound
from shared.web import IfMatch, Page, Paging, Read, RequestModel, ResponseModel, Router, Tx, etag

router = Router()


class TwoIds(RequestModel):
    """A mentor and a learner."""

    mentor_id: UUID
    learner_id: UUID


class NewRun(ByCriteria):
    """The consortium to plan for, and by what: criteria, pairs that are to be in the plan, pairs that are not."""

    forced: list[TwoIds] = Field(default=[], max_length=500)
    forbidden: list[TwoIds] = Field(default=[], max_length=500)
    seed: int = Field(default=0, ge=0, lt=2**31, description="where simulated arrivals begin, if places are reserved")

    async def wish(self, tx: WriteSession) -> runs.RunRequest:
        """As commands know it.

        Raises:
            NotFound, Conflict: of the criteria set.
        """
        criteria = await self.chosen(tx, published=True)
        return runs.RunRequest(criteria, twos(self.forced), twos(self.forbidden), self.seed, self.criteria_set_id)


def twos(listed: Sequence[TwoIds]) -> tuple[PairKey, ...]:
    """As rules know them."""
    return tuple(PairKey(one.mentor_id, one.learner_id) for one in listed)


class RunView(ResponseModel):
    """A plan for a consortium, which is being made while it is `running`."""

    id: UUID
    consortium_id: UUID
    state: Literal["running", "draft", "published", "failed", "cancelled", "unchanged"]
    progress: int = Field(description="how far it is, in thousandths")
    reason: str | None = Field(description="why it failed, or what is to be known of its plan")
    total_hundredths: int = Field(validation_alias="total")
    criteria: dict[str, Any]
    criteria_set_id: UUID | None
    inputs_hash: str
    solver: str
    took_ms: int | None
    causes: list[CauseView] = Field(description="the newest events that it follows; none if a person asked for it")
    version: int
    created_at: datetime


class RunWithPairs(ResponseModel):
    """A plan with its pairs, the best first."""

    run: RunView
    pairs: list[PairView]


class ProjectionView(ResponseModel):
    """The fingerprint of what matching knows from events."""

    state_hash: str


@router.post("/runs", status_code=201)
async def make_run(caller: Coordinator, tx: Tx, body: NewRun, response: Response) -> RunView:
    """Ask for a plan of the consortium: the best pairs under both sides' capacities. It is made from what is known now.

    The run is `running` until it is a draft, has failed or is cancelled: ask again for it to see.
    """
    caller.enter(body.consortium_id)
    wish = await body.wish(tx)
    run = await runs.begin(tx, clock.new_id(), body.consortium_id, wish, clock.now().date())
    response.headers["Location"] = f"runs/{run.id}"
    etag(response, run.version)
    return RunView.model_validate(run)


@router.get("/runs")
async def list_runs(caller: Anyone, db: Read, paging: Paging) -> Page[RunView]:
    """The runs of the caller's consortium, oldest first."""
    rows = await queries.runs(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([RunView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/runs/{id}")
async def show_run(caller: Anyone, db: Read, id: UUID, response: Response) -> RunWithPairs:
    """One run with its pairs."""
    run = await queries.run(db, id, caller.within)
    etag(response, run.version)
    pairs = [PairView.model_validate(row) for row in await queries.pairs_of(db, id)]
    return RunWithPairs(run=RunView.model_validate(run), pairs=pairs)


@router.get("/runs/{id}/plan")
async def show_plan(caller: Anyone, db: Read, id: UUID) -> Plan:
    """The whole plan of a run: its pairs, its proof, what places are worth, and who is left out and why."""
    return await queries.plan(db, id, caller.within)


@router.get("/runs/{id}/explanations/{learner_id}")
async def explain_learner(
    caller: Anyone,
    db: Read,
    id: UUID,
    learner_id: UUID,
    request: Request,
    mentor_id: Annotated[UUID | None, Query()] = None,
) -> Explanation:
    """A learner's alternates with what each would cost; of one mentor also what it would take."""
    question = await queries.plan_input(db, id, caller.within)
    here = {one.id for one in question.clusters}
    for field, one in (("learner_id", learner_id), ("mentor_id", mentor_id)):
        if one is not None and one not in here:
            raise NotFound("no-such-cluster", "No such cluster was planned for.", field=field)
    explained: Explanation = await request.app.state.solver.explain(question, learner_id, mentor_id)
    return explained


@router.post("/runs/{id}/replay")
async def replay_run(caller: Coordinator, db: Read, id: UUID, request: Request) -> Replay:
    """Answer the run's question anew, and say whether and where the answer differs. Nothing is changed."""
    kept = await queries.plan(db, id, caller.within)
    anew, _ = await request.app.state.solver.plan(await queries.plan_input(db, id, caller.within))
    return compare_replay(kept, anew)


@router.get("/runs/{id}/moves")
async def show_moves(caller: Anyone, db: Read, id: UUID, request: Request) -> MoveFrontier:
    """What the plan would add up to by how many open proposals it dropped, for each price of dropping one."""
    question = await queries.plan_input(db, id, caller.within)
    traced: MoveFrontier = await request.app.state.solver.moves(question)
    return traced


@router.post("/runs/{id}/cancellation")
async def cancel_run(caller: Coordinator, tx: Tx, id: UUID, response: Response) -> RunView:
    """Stop a run that is being made."""
    run = await run_execution.cancel(tx, id, caller.within)
    etag(response, run.version)
    return RunView.model_validate(run)


@router.post("/runs/{id}/publication")
async def publish_run(caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response) -> RunView:
    """Publish the run: its pairs are proposed, and open proposals that it does without are withdrawn."""
    run = await run_publication.publish(tx, id, expected_version, caller.within, clock.now())
    etag(response, run.version)
    return RunView.model_validate(run)


@router.get("/projection")
async def show_projection(caller: Operator, db: Read) -> ProjectionView:
    """The fingerprint of the projection: the same events give the same, in whatever order they came."""
    return ProjectionView(state_hash=await projected.state_hash(db))


@router.delete("/projection", status_code=204)
async def forget_projection(caller: Operator, tx: Tx) -> None:
    """Empty the projection, to be built anew by replaying members' and trainings' events. Runs and pairs stay."""
    await projection.reset(tx, "matching")
