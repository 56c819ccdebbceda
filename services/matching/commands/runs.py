"""Runs: plan a whole consortium, then publish the plan, which proposes each of its new pairs."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from services.matching.commands.pairs import alone, new_pair, propose
from services.matching.commands.situation import question_of
from services.matching.rules.changes import changes
from services.matching.rules.criteria import Criteria
from services.matching.rules.engine import SOLVER
from services.matching.rules.planned import Plan, PlannedPair
from services.matching.rules.question import Question, Two, of_json
from services.matching.rules.refusals import refusals
from services.matching.tables import Pair, Run
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound, Stale
from shared.events.matching import RunPublished

Solve = Callable[[Question], Awaitable[tuple[Plan, int]]]
"""The solver, wherever it runs: the plan, and the milliseconds it took."""

ONE_RUN = 0x72756E
"""First key of the advisory lock that keeps two runs of a consortium apart."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to plan for: by which criteria, with which pairs in any case, and without which."""

    criteria: Criteria
    forced: Sequence[Two] = ()
    forbidden: Sequence[Two] = ()
    seed: int = 0


async def plan(tx: WriteSession, id: UUID, consortium_id: UUID, wish: Wish, today: date, solve: Solve) -> Run:
    """Make a draft: the best plan for the free places of a consortium. Live pairs stay and are not proposed again.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
        Conflict: a run of it is being made, or the plan cannot be found.
    """
    lock = func.pg_try_advisory_xact_lock(ONE_RUN, func.hashtext(str(consortium_id)))
    if not await tx.scalar(select(lock)):
        raise Conflict("run-under-way", "A run of this consortium is being made right now.")
    question = await asked(tx, consortium_id, wish, today)
    made, took = await solve(question)
    new = [pair for pair in made.pairs if pair.standing == "new"]
    run = Run(
        id=id,
        consortium_id=consortium_id,
        state="draft",
        total=sum(pair.score for pair in new),
        criteria=wish.criteria.model_dump(mode="json"),
        inputs=json.loads(question.as_json()),
        inputs_hash=question.digest,
        solver=SOLVER,
        plan=made.model_dump(mode="json"),
        took_ms=took,
    )
    tx.add(run)
    await tx.flush()
    tx.add_all(_drafted(pair, consortium_id, id) for pair in new)
    return run


async def asked(tx: WriteSession, consortium_id: UUID, wish: Wish, today: date) -> Question:
    """The question of a wish, as things are now.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
    """
    now = await question_of(tx, consortium_id, wish.criteria, today)
    if not now.clusters:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    if wish.criteria.move_price is not None:
        message = "Runs leave open proposals alone; only a what-if may weigh them."
        raise Invalid("proposals-stay", message, field="criteria.move_price")
    question = replace(now, forced=tuple(wish.forced), forbidden=tuple(wish.forbidden), seed=wish.seed)
    if refused := list(refusals(question)):
        raise Invalid("not-possible", " ".join(sentence for _, sentence in refused), field=refused[0][0])
    return question


async def publish(tx: WriteSession, id: UUID, seen: int, right: Callable[[UUID], bool]) -> Run:
    """Publish a draft, if `right(consortium)`; each of its new pairs is proposed.

    Raises:
        NotFound, Stale.
        Conflict: it is published, or what it was made from has changed since.
    """
    run = await tx.scalar(select(Run).where(Run.id == id).options(undefer(Run.inputs)).with_for_update())
    if run is None or not right(run.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    if run.version != seen:
        raise Stale("stale", f"The run has changed since: it is at version {run.version}, not {seen}.")
    if run.state == "published":
        raise Conflict("already-published", "This run is published already.")
    await alone(tx, run.consortium_id)
    await _unchanged(tx, run)
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == id).order_by(Pair.id).with_for_update())).all()
    run.state = "published"
    run.version += 1
    event = RunPublished(run_id=id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    outbox.put(tx, event, version=1)
    for pair in pairs:
        propose(tx, pair)
    return run


async def _unchanged(tx: WriteSession, run: Run) -> None:
    """Refuse to publish what was planned for other circumstances than these."""
    if "form" not in run.inputs:
        raise Conflict("inputs-changed", "This draft is of an earlier version of Kei. Make a new run.")
    planned = of_json(json.dumps(run.inputs).encode())
    now = await question_of(tx, run.consortium_id, planned.criteria, planned.today)
    now = replace(now, forced=planned.forced, forbidden=planned.forbidden, seed=planned.seed)
    if now.digest != run.inputs_hash:
        said = " ".join(changes(planned, now))
        raise Conflict("inputs-changed", f"Since this draft was made: {said} Make a new run.")


def _drafted(pair: PlannedPair, consortium_id: UUID, run_id: UUID) -> Pair:
    two = Two(pair.mentor_id, pair.learner_id)
    terms = [term.model_dump(mode="json") for term in pair.terms]
    return new_pair(two, pair.score, terms, consortium_id, run_id=run_id)
