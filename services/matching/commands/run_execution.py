"""The making of a run: taken up by one process at a time, kept alive by its beat, ended by a plan or a reason."""

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
"""The channel on which it is said that a run waits."""
HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""Without a beat for so long, whoever made a run is taken for gone."""
MAX_ATTEMPTS = 10
"""How often a run is begun, should its service end: seldom the run's fault, but one that is has to end some day."""


class ClaimedRun(NamedTuple):
    """A run in the hands of one worker: its id, which attempt this is, and the stored plan input."""

    id: UUID
    attempt: int
    inputs: dict[str, Any]


async def claim(tx: WriteSession) -> ClaimedRun | None:
    """Take up the oldest run that nobody makes, or nobody makes any more. What was begun too often has failed."""
    alone = or_(Run.beat_at.is_(None), Run.beat_at < func.now() - HEARTBEAT_TIMEOUT)
    query = select(Run).where(Run.state == "running", alone).order_by(Run.id).limit(1)
    query = query.options(undefer(Run.inputs)).with_for_update(skip_locked=True)
    while (run := await tx.scalar(query)) is not None and run.tries >= MAX_ATTEMPTS:
        _end(run, "failed", f"The process that made it ended, {MAX_ATTEMPTS} times.")
        await tx.flush()
    if run is None:
        return None
    run.tries += 1
    run.beat_at = await tx.scalar(select(func.now()))
    return ClaimedRun(run.id, run.tries, run.inputs)


async def heartbeat(tx: WriteSession, id: UUID, tries: int, progress: int) -> bool:
    """Say that a run goes on, and how far it is; whether it is still wanted."""
    goes_on = update(Run).where(*_owned_by(id, tries)).values(beat_at=func.now(), progress=progress)
    return await tx.scalar(goes_on.returning(Run.id)) is not None


async def release(tx: WriteSession, id: UUID, tries: int) -> None:
    """Let another process take a run up, as if it had not been begun."""
    await tx.execute(update(Run).where(*_owned_by(id, tries)).values(beat_at=None, tries=tries - 1))
    await tx.execute(select(func.pg_notify(RUNS_CHANNEL, "")))


async def finish(tx: WriteSession, id: UUID, tries: int, made: Plan, took: int) -> Run | None:
    """Keep the plan of a run as a draft; None if it was cancelled or taken up by another."""
    run = await tx.scalar(select(Run).where(*_owned_by(id, tries)).with_for_update())
    if run is None:
        return None
    new = [pair for pair in made.pairs if pair.standing == "new"]
    run.plan, run.solver, run.took_ms = made.model_dump(mode="json"), SOLVER, took
    run.total = sum(pair.score for pair in new)
    _end(run, "draft", None if made.exact else _optimality_unproved(made))
    tx.add_all(_draft_pair(pair, run) for pair in new)
    return run


async def fail(tx: WriteSession, id: UUID, tries: int, reason: str) -> None:
    """Say why there is no plan, unless the run was cancelled or taken up by another."""
    run = await tx.scalar(select(Run).where(*_owned_by(id, tries)).with_for_update())
    if run is not None:
        _end(run, "failed", reason)


async def cancel(tx: WriteSession, id: UUID, right: Callable[[UUID], bool]) -> Run:
    """Stop a run that is being made, if `right(consortium)`.

    Raises:
        NotFound
        Conflict: it is made already.
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


def _owned_by(id: UUID, tries: int) -> tuple[ColumnElement[bool], ...]:
    """That a run is still being made, and by this try."""
    return Run.id == id, Run.state == "running", Run.tries == tries


def _optimality_unproved(made: Plan) -> str:
    short = made.certificates[-1].bound - made.certificates[-1].worth
    return f"Its time was up. It is the best plan so far; the best there is may be worth {short / 100:.2f} points more."


def _draft_pair(pair: PlannedPair, run: Run) -> Pair:
    two = PairKey(pair.mentor_id, pair.learner_id)
    terms = [term.model_dump(mode="json") for term in pair.terms]
    cause = cause_of(run.causes, two)
    return new_pair(two, pair.score, terms, run.consortium_id, run_id=run.id, cause=cause)
