"""`/runs`: requests for plans; and `/projection`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from services.matching.commands import projection, run_execution, run_publication, runs
from services.matching.queries import projection as projection_queries
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


class PairIds(RequestModel):
    """A mentor and a learner."""

    mentor_id: UUID
    learner_id: UUID


class NewRun(ByCriteria):
    """A request for a plan of a consortium: criteria, pairs that it must contain (forced) or must not (forbidden)."""

    forced: list[PairIds] = Field(default=[], max_length=500)
    forbidden: list[PairIds] = Field(default=[], max_length=500)
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="seed of the simulated arrivals, if the criteria reserve slots"
    )

    async def as_request(self, tx: WriteSession) -> runs.RunRequest:
        """The argument of the command.

        Raises:
            NotFound, Conflict: of the criteria set.
        """
        criteria = await self.chosen_criteria(tx, published=True)
        return runs.RunRequest(
            criteria, pair_keys(self.forced), pair_keys(self.forbidden), self.seed, self.criteria_set_id
        )


def pair_keys(pairs: Sequence[PairIds]) -> tuple[PairKey, ...]:
    """The pairs as the rules take them."""
    return tuple(PairKey(pair.mentor_id, pair.learner_id) for pair in pairs)


class RunView(ResponseModel):
    """A request for a plan of a consortium. While it is `running`, it waits for a worker or is being solved."""

    id: UUID
    consortium_id: UUID
    state: Literal["running", "draft", "published", "failed", "cancelled", "unchanged"]
    progress: int = Field(description="progress in thousandths")
    reason: str | None = Field(description="why the run failed, or a limitation of its plan")
    total_hundredths: int = Field(validation_alias="total")
    criteria: dict[str, Any]
    criteria_set_id: UUID | None
    inputs_hash: str
    solver: str
    took_ms: int | None
    causes: list[CauseView] = Field(
        description="the newest events that the run follows; empty if a person requested it"
    )
    version: int
    created_at: datetime


class RunWithPairs(ResponseModel):
    """A run with its pairs, the best score first."""

    run: RunView
    pairs: list[PairView]


class ProjectionView(ResponseModel):
    """The fingerprint of the projection."""

    state_hash: str


@router.post("/runs", status_code=201)
async def make_run(caller: Coordinator, tx: Tx, body: NewRun, response: Response) -> RunView:
    """Request a plan: the best pairs within the capacities of both sides, from the data as they are now.

    The run is `running` until it is a draft, has failed or is cancelled. Poll `GET /runs/{id}` for its state.
    """
    caller.enter(body.consortium_id)
    request = await body.as_request(tx)
    run = await runs.begin(tx, clock.new_id(), body.consortium_id, request, clock.now().date())
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
    """The whole plan of a run: pairs, certificates, shadow prices, and unmatched learners with reasons."""
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
    """The alternates of a learner with the cost of each; with `mentor_id` also what a pair with that mentor costs."""
    plan_input = await queries.plan_input(db, id, caller.within)
    planned_ids = {cluster.id for cluster in plan_input.clusters}
    for field, cluster_id in (("learner_id", learner_id), ("mentor_id", mentor_id)):
        if cluster_id is not None and cluster_id not in planned_ids:
            raise NotFound("no-such-cluster", "The run has no such cluster.", field=field)
    explanation: Explanation = await request.app.state.solver.explain(plan_input, learner_id, mentor_id)
    return explanation


@router.post("/runs/{id}/replay")
async def replay_run(caller: Coordinator, db: Read, id: UUID, request: Request) -> Replay:
    """Solve the stored plan input again, and report the differences from the stored plan. Nothing is changed."""
    stored = await queries.plan(db, id, caller.within)
    replayed, _ = await request.app.state.solver.solve(await queries.plan_input(db, id, caller.within))
    return compare_replay(stored, replayed)


@router.get("/runs/{id}/moves")
async def show_moves(caller: Anyone, db: Read, id: UUID, request: Request) -> MoveFrontier:
    """The total of the plan by the number of open proposals that it withdraws, for each move price."""
    plan_input = await queries.plan_input(db, id, caller.within)
    frontier: MoveFrontier = await request.app.state.solver.move_frontier(plan_input)
    return frontier


@router.post("/runs/{id}/cancellation")
async def cancel_run(caller: Coordinator, tx: Tx, id: UUID, response: Response) -> RunView:
    """Cancel a run that has not ended."""
    run = await run_execution.cancel(tx, id, caller.within)
    etag(response, run.version)
    return RunView.model_validate(run)


@router.post("/runs/{id}/publication")
async def publish_run(caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response) -> RunView:
    """Publish the draft of a run: its pairs are proposed, and open proposals that are not in the plan are withdrawn."""
    run = await run_publication.publish(tx, id, expected_version, caller.within, clock.now())
    etag(response, run.version)
    return RunView.model_validate(run)


@router.get("/projection")
async def show_projection(caller: Operator, db: Read) -> ProjectionView:
    """The fingerprint of the projection: the same for the same events, in whatever order they arrived."""
    return ProjectionView(state_hash=await projection_queries.state_hash(db))


@router.delete("/projection", status_code=204)
async def reset_projection(caller: Operator, tx: Tx) -> None:
    """Empty the projection; a replay of the events of members and trainings rebuilds it. Runs and pairs stay."""
    await projection.reset(tx, "matching")
