"""Runs: requests for a plan of a consortium."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import func, select

from services.matching.commands.locks import RUNS, lock_consortium
from services.matching.commands.run_execution import RUNS_CHANNEL
from services.matching.queries.plan_input import load_plan_input_or_404, validated
from services.matching.rules.engine import SOLVER
from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.tables import Run
from shared.db import WriteSession
from shared.errors import Conflict
from shared.events.matching import Cause


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run plans for.

    Attributes:
        criteria: the criteria of the plan.
        forced: pairs that the plan has to contain.
        forbidden: pairs that the plan must not contain.
        seed: seed of the simulated arrivals, if the criteria reserve slots.
        criteria_set_id: the set that the criteria come from.
        causes: the events that the run follows; empty if a person requested it.
    """

    criteria: Criteria
    forced: Sequence[PairKey] = ()
    forbidden: Sequence[PairKey] = ()
    seed: int = 0
    criteria_set_id: UUID | None = None
    causes: Sequence[Cause] = ()


async def begin(tx: WriteSession, id: UUID, consortium_id: UUID, request: RunRequest, today: date) -> Run:
    """Request a plan for the free slots of a consortium, from the data as they are now.

    Live pairs stay and are not proposed again.

    Raises:
        NotFound: no cluster of this consortium is known.
        Invalid: the request contradicts itself or the data.
        Conflict: another run of the consortium is queued or running.
    """
    await lock_consortium(tx, RUNS, consortium_id)
    query = select(Run.id).where(Run.consortium_id == consortium_id, Run.state == "running")
    if (running_id := await tx.scalar(query)) is not None:
        raise Conflict("run-under-way", f"Run {running_id} of this consortium is running.")
    plan_input = await _requested_plan_input(tx, consortium_id, request, today)
    run = Run(
        id=id,
        consortium_id=consortium_id,
        state="running",
        total=0,
        criteria=request.criteria.model_dump(mode="json"),
        criteria_set_id=request.criteria_set_id,
        inputs=plan_input.as_data(),
        inputs_hash=plan_input.digest,
        solver=SOLVER,
        progress=0,
        attempts=0,
        causes=[cause.model_dump(mode="json") for cause in request.causes],
    )
    tx.add(run)
    await tx.flush()
    await tx.execute(select(func.pg_notify(RUNS_CHANNEL, "")))
    return run


async def _requested_plan_input(tx: WriteSession, consortium_id: UUID, request: RunRequest, today: date) -> PlanInput:
    current = await load_plan_input_or_404(tx, consortium_id, request.criteria, today)
    forced, forbidden = tuple(request.forced), tuple(request.forbidden)
    return validated(replace(current, forced=forced, forbidden=forbidden, seed=request.seed))
