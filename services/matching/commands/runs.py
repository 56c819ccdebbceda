"""Runs: plan a whole consortium, then publish the plan, which proposes each of its pairs."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from uuid import UUID

from sqlalchemy import func, select

from services.matching.commands.pairs import live, new_pair, propose
from services.matching.commands.profiles import as_inputs, free_places, profiles
from services.matching.rules.profile import Profile
from services.matching.rules.score import Criteria, Score, score
from services.matching.rules.solve import SOLVER, Arc, Problem
from services.matching.tables import Pair, Run
from shared import outbox
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale
from shared.events.matching import RunPublished

Solve = Callable[[Problem], Awaitable[list[Arc]]]
"""The solver, wherever it runs."""

ONE_RUN = 0x72756E
"""First key of the advisory lock that keeps two runs of a consortium apart."""


async def plan(tx: WriteSession, id: UUID, consortium_id: UUID, solve: Solve) -> Run:
    """Make a draft: the best plan for the free places of a consortium. Live pairs stay and are not proposed again.

    Raises:
        NotFound: no cluster of that consortium is known.
        Conflict: a run of it is being made.
    """
    lock = func.pg_try_advisory_xact_lock(ONE_RUN, func.hashtext(str(consortium_id)))
    if not await tx.scalar(select(lock)):
        raise Conflict("run-under-way", "A run of this consortium is being made right now.")
    known = await profiles(tx, consortium_id)
    if not known:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    free = await free_places(tx, list(known))
    criteria = Criteria()
    taken = await live(tx, consortium_id)
    scores = {pair: scored for pair, scored in _scored(known, criteria) if pair not in taken}
    arcs = tuple(Arc(mentor, learner, scored.total) for (mentor, learner), scored in scores.items())
    chosen = await solve(Problem(arcs, free["mentor"], free["learner"]))
    inputs, digest = as_inputs(known, free)
    run = Run(
        id=id,
        consortium_id=consortium_id,
        state="draft",
        total=sum(arc.score for arc in chosen),
        criteria=criteria.as_dict(),
        inputs=inputs,
        inputs_hash=digest,
        solver=SOLVER,
    )
    tx.add(run)
    await tx.flush()
    for mentor, learner, _ in chosen:
        scored = scores[mentor, learner]
        tx.add(new_pair(new_id(), known[learner], known[mentor], scored, consortium_id, run_id=id))
    await tx.flush()
    return run


def _scored(known: dict[UUID, Profile], criteria: Criteria) -> Iterator[tuple[tuple[UUID, UUID], Score]]:
    """The score of each (mentor, learner) that no rule excludes."""
    for mentor, learner in product(known.values(), repeat=2):
        scored = score(mentor, learner, criteria)
        if isinstance(scored, Score):
            yield (mentor.id, learner.id), scored


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
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == id).order_by(Pair.id).with_for_update())).all()
    taken = await live(tx, run.consortium_id)
    overtaken = [pair for pair in pairs if (pair.mentor_id, pair.learner_id) in taken]
    if overtaken:
        message = f"{len(overtaken)} pairs of this draft were proposed in the meantime. Make a new run."
        raise Conflict("overtaken", message)
    run.state = "published"
    run.version += 1
    event = RunPublished(run_id=id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    await outbox.put(tx, event, version=1)
    for pair in pairs:
        await propose(tx, pair)
    return run
