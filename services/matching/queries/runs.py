"""Reading runs. `within` limits a list to one consortium (None sees all), `right` says so of a single one."""

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
    """One run, if `right(consortium)`.

    Raises:
        NotFound
    """
    found = await db.get(Run, id)
    if found is None or not right(found.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    return found


async def plan(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Plan:
    """The whole plan of one run, if `right(consortium)`.

    Raises:
        NotFound: also if the run is older than plans that are kept.
    """
    found = await run(db, id, right)
    if found.state in {"running", "failed", "cancelled"}:
        raise NotFound("no-such-plan", f"This run is {found.state}; there is no plan.")
    kept = await db.scalar(select(Run.plan).where(Run.id == id))
    if kept is None:
        raise NotFound("no-such-plan", "Of this run, made by an earlier version, only the pairs were kept.")
    return Plan.model_validate(kept)


async def plan_input(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> PlanInput:
    """What one run was made from, if `right(consortium)`.

    Raises:
        NotFound: also if the run is older than questions that can be asked again.
    """
    await run(db, id, right)
    kept = await db.scalar(select(Run.inputs).where(Run.id == id))
    if kept is None or "form" not in kept:
        raise NotFound("no-such-question", "This run was made by an earlier version; it cannot be asked again.")
    return PlanInput.from_data(kept)


async def pairs_of(db: ReadSession, run_id: UUID) -> Sequence[Pair]:
    """A run's pairs, the best first."""
    query = select(Pair).where(Pair.run_id == run_id).order_by(Pair.score.desc(), Pair.id)
    return (await db.scalars(query)).all()
