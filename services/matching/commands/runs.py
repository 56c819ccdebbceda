"""Runs: plan a whole consortium, then publish the plan, which proposes each of its new pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import undefer

from services.matching.commands.locks import alone
from services.matching.commands.making import ASKED, locked
from services.matching.commands.pairs import PROPOSING, propose, withdraw
from services.matching.commands.situation import known_question, possible, question_of
from services.matching.rules.changes import changes
from services.matching.rules.criteria import Criteria
from services.matching.rules.engine import SOLVER
from services.matching.rules.planned import Plan
from services.matching.rules.question import Question, Two
from services.matching.tables import Pair, Run
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Stale
from shared.events.matching import RunPublished

ONE_RUN = 0x72756E
"""First key of the advisory lock under which it is decided that a run of a consortium begins."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to plan for: by which criteria, with which pairs in any case, and without which."""

    criteria: Criteria
    forced: Sequence[Two] = ()
    forbidden: Sequence[Two] = ()
    seed: int = 0
    criteria_set_id: UUID | None = None


async def begin(tx: WriteSession, id: UUID, consortium_id: UUID, wish: Wish, today: date) -> Run:
    """Ask for the best plan for the free places of a consortium. Live pairs stay and are not proposed again.

    What is known now is what the plan will be made from, whenever it is.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
        Conflict: a run of it is being made.
    """
    await alone(tx, ONE_RUN, consortium_id)
    query = select(Run.id).where(Run.consortium_id == consortium_id, Run.state == "running")
    if (other := await tx.scalar(query)) is not None:
        raise Conflict("run-under-way", f"Run {other} of this consortium is being made right now.")
    question = await asked(tx, consortium_id, wish, today)
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
    )
    tx.add(run)
    await tx.flush()
    await tx.execute(select(func.pg_notify(ASKED, "")))
    return run


async def asked(tx: WriteSession, consortium_id: UUID, wish: Wish, today: date) -> Question:
    """The question of a wish, as things are now.

    Raises:
        NotFound: no cluster of that consortium is known.
        Invalid: the wish contradicts itself or what is there.
    """
    now = await known_question(tx, consortium_id, wish.criteria, today)
    question = replace(now, forced=tuple(wish.forced), forbidden=tuple(wish.forbidden), seed=wish.seed)
    return possible(question)


async def publish(tx: WriteSession, id: UUID, seen: int, right: Callable[[UUID], bool]) -> Run:
    """Publish a draft, if `right(consortium)`: its new pairs are proposed, open ones that it does without withdrawn.

    Raises:
        NotFound, Stale.
        Conflict: it is published, or what it was made from has changed since.
    """
    run = await locked(tx, id, right, undefer(Run.inputs), undefer(Run.plan))
    if run.version != seen:
        raise Stale("stale", f"The run has changed since: it is at version {run.version}, not {seen}.")
    if run.state == "published":
        raise Conflict("already-published", "This run is published already.")
    if run.state != "draft":
        raise Conflict("no-draft", f"This run is {run.state}; only a draft can be published.")
    await alone(tx, PROPOSING, run.consortium_id)
    dropped = await _dropped(tx, run)
    await _unchanged(tx, run)
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == id).order_by(Pair.id).with_for_update())).all()
    run.state = "published"
    run.version += 1
    event = RunPublished(run_id=id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    outbox.put(tx, event, version=1)
    for pair in dropped:
        withdraw(tx, pair, id)
    for pair in pairs:
        propose(tx, pair)
    return run


async def _dropped(tx: WriteSession, run: Run) -> Sequence[Pair]:
    """The open proposals that the run's plan does without; nobody can answer them until the end of this."""
    if run.plan is None or not (without := Plan.model_validate(run.plan).dropped):
        return ()
    these = tuple_(Pair.mentor_id, Pair.learner_id).in_([(one.mentor_id, one.learner_id) for one in without])
    query = select(Pair).where(Pair.consortium_id == run.consortium_id, Pair.state == "proposed", these)
    return (await tx.scalars(query.order_by(Pair.id).with_for_update())).all()


async def _unchanged(tx: WriteSession, run: Run) -> None:
    """Refuse to publish what was planned for other circumstances than these."""
    if "form" not in run.inputs:
        raise Conflict("inputs-changed", "This draft is of an earlier version of Kei. Make a new run.")
    planned = Question.read(run.inputs)
    now = await question_of(tx, run.consortium_id, planned.criteria, planned.today)
    now = replace(now, forced=planned.forced, forbidden=planned.forbidden, seed=planned.seed)
    if now.digest != run.inputs_hash:
        said = " ".join(changes(planned, now))
        raise Conflict("inputs-changed", f"Since this draft was made: {said} Make a new run.")
