"""Runs: asking for a plan of a whole consortium."""

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
    """What a run is to plan for: by which criteria, with which pairs in any case, and without which.

    `causes` are the events that it follows; none if a person asks for it.
    """

    criteria: Criteria
    forced: Sequence[PairKey] = ()
    forbidden: Sequence[PairKey] = ()
    seed: int = 0
    criteria_set_id: UUID | None = None
    causes: Sequence[Cause] = ()


async def begin(tx: WriteSession, id: UUID, consortium_id: UUID, wish: RunRequest, today: date) -> Run:
    """Ask for the best plan for the free places of a consortium. Live pairs stay and are not proposed again.

    What is known now is what the plan will be made from, whenever it is.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
        Conflict: a run of it is being made.
    """
    await lock_consortium(tx, RUNS, consortium_id)
    query = select(Run.id).where(Run.consortium_id == consortium_id, Run.state == "running")
    if (other := await tx.scalar(query)) is not None:
        raise Conflict("run-under-way", f"Run {other} of this consortium is being made right now.")
    question = await requested_plan_input(tx, consortium_id, wish, today)
    run = Run(
        id=id,
        consortium_id=consortium_id,
        state="running",
        total=0,
        criteria=wish.criteria.model_dump(mode="json"),
        criteria_set_id=wish.criteria_set_id,
        inputs=question.as_data(),
        inputs_hash=question.digest,
        solver=SOLVER,
        progress=0,
        tries=0,
        causes=[one.model_dump(mode="json") for one in wish.causes],
    )
    tx.add(run)
    await tx.flush()
    await tx.execute(select(func.pg_notify(RUNS_CHANNEL, "")))
    return run


async def requested_plan_input(tx: WriteSession, consortium_id: UUID, wish: RunRequest, today: date) -> PlanInput:
    """The question of a wish, as things are now.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
    """
    now = await load_plan_input_or_404(tx, consortium_id, wish.criteria, today)
    question = replace(now, forced=tuple(wish.forced), forbidden=tuple(wish.forbidden), seed=wish.seed)
    return validated(question)
