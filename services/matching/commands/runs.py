"""Runs: plan a whole consortium, then publish the plan, which proposes each of its pairs."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import func, select

from services.matching.commands.pairs import alone, new_pair, propose
from services.matching.commands.situation import as_inputs, live_pairs, situation_of
from services.matching.rules.plan import Proposal, Situation
from services.matching.rules.score import Criteria
from services.matching.rules.solve import SOLVER
from services.matching.tables import Pair, Run
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.matching import RunPublished

Solve = Callable[[Situation, Criteria], Awaitable[list[Proposal]]]
"""The solver, wherever it runs."""

ONE_RUN = 0x72756E
"""First key of the advisory lock that keeps two runs of a consortium apart."""


async def plan(tx: WriteSession, id: UUID, consortium_id: UUID, solve: Solve) -> Run:
    """Make a draft: the best plan for the free places of a consortium. Live pairs stay and are not proposed again.

    Raises:
        NotFound: no cluster of that consortium is known.
        Conflict: a run of it is being made, or the plan cannot be found.
    """
    lock = func.pg_try_advisory_xact_lock(ONE_RUN, func.hashtext(str(consortium_id)))
    if not await tx.scalar(select(lock)):
        raise Conflict("run-under-way", "A run of this consortium is being made right now.")
    situation = await situation_of(tx, consortium_id)
    if not situation.clusters:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    criteria = Criteria()
    chosen = await solve(situation, criteria)
    inputs, digest = as_inputs(situation)
    run = Run(
        id=id,
        consortium_id=consortium_id,
        state="draft",
        total=sum(one.score.total for one in chosen),
        criteria=criteria.as_dict(),
        inputs=inputs,
        inputs_hash=digest,
        solver=SOLVER,
    )
    tx.add(run)
    await tx.flush()
    tx.add_all(new_pair(one, consortium_id, run_id=id) for one in chosen)
    return run


async def publish(tx: WriteSession, id: UUID, seen: int, right: Callable[[UUID], bool]) -> Run:
    """Publish a draft, if `right(consortium)`; each of its pairs is proposed.

    Raises:
        NotFound, Stale.
        Conflict: it is published, or a pair of it was proposed otherwise in the meantime.
    """
    run = await tx.scalar(select(Run).where(Run.id == id).with_for_update())
    if run is None or not right(run.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    if run.version != seen:
        raise Stale("stale", f"The run has changed since: it is at version {run.version}, not {seen}.")
    if run.state == "published":
        raise Conflict("already-published", "This run is published already.")
    await alone(tx, run.consortium_id)
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == id).order_by(Pair.id).with_for_update())).all()
    taken = await live_pairs(tx, run.consortium_id)
    overtaken = sum((pair.mentor_id, pair.learner_id) in taken for pair in pairs)
    if overtaken:
        message = f"{overtaken} of this draft's pairs were proposed in the meantime. Make a new run."
        raise Conflict("overtaken", message)
    run.state = "published"
    run.version += 1
    event = RunPublished(run_id=id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    outbox.put(tx, event, version=1)
    for pair in pairs:
        propose(tx, pair)
    return run
