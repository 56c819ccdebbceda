"""Queries for runs. `within` limits a list to one consortium (None: all); `right(consortium)` permits one row."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.tables import Pair, Run
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def runs(db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int) -> Sequence[Run]:
    """Runs, oldest first."""
    query = select(Run)
    if within is not None:
        query = query.where(Run.consortium_id == within)
    return (await db.scalars(page(query, [Run.id], after, limit))).all()


async def run(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Run:
    """One run.

    Raises:
        NotFound
    """
    row = await db.get(Run, id)
    if row is None or not right(row.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    return row


async def plan(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Plan:
    """The whole plan of one run.

    Raises:
        NotFound: also if the run has no plan, or is older than stored plans.
    """
    row = await run(db, id, right)
    if row.state in {"running", "failed", "cancelled"}:
        raise NotFound("no-such-plan", f"This run is {row.state}; there is no plan.")
    data = await db.scalar(select(Run.plan).where(Run.id == id))
    if data is None:
        raise NotFound("no-such-plan", "This run was made by an earlier version, which stored only its pairs.")
    return Plan.model_validate(data)


async def plan_input(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> PlanInput:
    """The plan input of one run.

    Raises:
        NotFound: also if the run is older than plan inputs that can be replayed.
    """
    await run(db, id, right)
    data = await db.scalar(select(Run.inputs).where(Run.id == id))
    if data is None or "form" not in data:
        raise NotFound("no-such-question", "This run was made by an earlier version; it cannot be replayed.")
    return PlanInput.from_data(data)


async def pairs_of(db: ReadSession, run_id: UUID) -> Sequence[Pair]:
    """The pairs of a run, the best score first."""
    query = select(Pair).where(Pair.run_id == run_id).order_by(Pair.score.desc(), Pair.id)
    return (await db.scalars(query)).all()
