"""Execution of runs: a worker claims a run, renews its heartbeat, and ends it with a plan or a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import undefer

from services.matching.commands.locks import lock_run
from services.matching.commands.proposals import new_pair
from services.matching.rules.engine import SOLVER
from services.matching.rules.inputs.plan_input import PairKey, cause_of
from services.matching.rules.inputs.plan_models import Plan, PlannedPair
from services.matching.tables import Pair, Run
from shared.db import WriteSession
from shared.errors import Conflict

RUNS_CHANNEL = "kei_runs"
"""PostgreSQL channel that is notified when a run waits for a worker."""
HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""A worker without a heartbeat for this time has lost its run."""
MAX_ATTEMPTS = 10
"""Attempts after which a run fails, so that a run that crashes its worker does not do so for ever."""


class ClaimedRun(NamedTuple):
    """A run in the hands of one worker: its id, the number of the attempt, and the stored plan input."""

    id: UUID
    attempt: int
    inputs: dict[str, Any]


async def claim(tx: WriteSession) -> ClaimedRun | None:
    """Claim the oldest run without a living worker. Runs that had `MAX_ATTEMPTS` attempts fail."""
    is_free = or_(Run.heartbeat_at.is_(None), Run.heartbeat_at < func.now() - HEARTBEAT_TIMEOUT)
    query = select(Run).where(Run.state == "running", is_free).order_by(Run.id).limit(1)
    query = query.options(undefer(Run.inputs)).with_for_update(skip_locked=True)
    while (run := await tx.scalar(query)) is not None and run.attempts >= MAX_ATTEMPTS:
        _end(run, "failed", f"The worker process ended {MAX_ATTEMPTS} times during this run.")
        await tx.flush()
    if run is None:
        return None
    run.attempts += 1
    run.heartbeat_at = await tx.scalar(select(func.now()))
    return ClaimedRun(run.id, run.attempts, run.inputs)


async def renew_heartbeat(tx: WriteSession, id: UUID, attempt: int, progress: int) -> bool:
    """Renew the heartbeat of a run and store its progress in thousandths.

    Returns:
        Whether the run still belongs to this attempt; if not, it was cancelled or claimed by another worker.
    """
    values = {"heartbeat_at": func.now(), "progress": progress}
    query = update(Run).where(*_owned_by(id, attempt)).values(values).returning(Run.id)
    return await tx.scalar(query) is not None


async def release(tx: WriteSession, id: UUID, attempt: int) -> None:
    """Give a run back for another worker; the attempt does not count."""
    await tx.execute(update(Run).where(*_owned_by(id, attempt)).values(heartbeat_at=None, attempts=attempt - 1))
    await tx.execute(select(func.pg_notify(RUNS_CHANNEL, "")))


async def finish(tx: WriteSession, id: UUID, attempt: int, plan: Plan, took_ms: int) -> Run | None:
    """Store the plan of a run as a draft, with its new pairs.

    Returns:
        None if the run was cancelled or claimed by another worker.
    """
    run = await tx.scalar(select(Run).where(*_owned_by(id, attempt)).with_for_update())
    if run is None:
        return None
    new_pairs = [pair for pair in plan.pairs if pair.standing == "new"]
    run.plan, run.solver, run.took_ms = plan.model_dump(mode="json"), SOLVER, took_ms
    run.total = sum(pair.score for pair in new_pairs)
    _end(run, "draft", None if plan.exact else _optimality_unproved(plan))
    tx.add_all(_draft_pair(pair, run) for pair in new_pairs)
    return run


async def fail(tx: WriteSession, id: UUID, attempt: int, reason: str) -> None:
    """End a run without a plan, unless it was cancelled or claimed by another worker."""
    run = await tx.scalar(select(Run).where(*_owned_by(id, attempt)).with_for_update())
    if run is not None:
        _end(run, "failed", reason)


async def cancel(tx: WriteSession, id: UUID, right: Callable[[UUID], bool]) -> Run:
    """Cancel a run that is queued or running.

    Raises:
        NotFound: also if `right(consortium)` is false.
        Conflict: the run has ended.
    """
    run = await lock_run(tx, id, right)
    if run.state != "running":
        raise Conflict("not-running", f"This run is {run.state} already.")
    _end(run, "cancelled", None)
    return run


def _end(run: Run, state: str, reason: str | None) -> None:
    run.state, run.reason = state, reason
    run.progress = 1000 if state == "draft" else run.progress
    run.version += 1


def _owned_by(id: UUID, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return Run.id == id, Run.state == "running", Run.attempts == attempt


def _optimality_unproved(plan: Plan) -> str:
    gap = plan.certificates[-1].bound - plan.certificates[-1].worth
    return (
        "The time limit was reached. This is the best plan found;"
        f" the optimum may be worth up to {gap / 100:.2f} points more."
    )


def _draft_pair(pair: PlannedPair, run: Run) -> Pair:
    pair_key = PairKey(pair.mentor_id, pair.learner_id)
    terms = [term.model_dump(mode="json") for term in pair.terms]
    cause = cause_of(run.causes, pair_key)
    return new_pair(pair_key, pair.score, terms, run.consortium_id, run_id=run.id, cause=cause)
