"""Publishing a plan: its new pairs are proposed, and the open proposals that it does without are taken back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import undefer

from services.matching.commands.locks import PROPOSALS, lock_consortium, lock_run
from services.matching.commands.proposals import open_proposal, withdraw
from services.matching.queries.plan_input import load_plan_input
from services.matching.rules.explaining.input_diff import describe_changes
from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.tables import Archived, Pair, Run
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Stale
from shared.events.matching import RunPublished


async def publish(
    tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool], now: datetime
) -> Run:
    """Publish a draft, if `right(consortium)`: its new pairs are proposed, open ones that it does without withdrawn.

    Raises:
        NotFound, Stale.
        Conflict: it is published, or what it was made from has changed since.
    """
    run = await lock_run(tx, id, right, undefer(Run.inputs), undefer(Run.plan))
    if run.version != expected_version:
        raise Stale("stale", f"The run has changed since: it is at version {run.version}, not {expected_version}.")
    if run.state == "published":
        raise Conflict("already-published", "This run is published already.")
    if run.state != "draft":
        raise Conflict("no-draft", f"This run is {run.state}; only a draft can be published.")
    await lock_consortium(tx, PROPOSALS, run.consortium_id)
    dropped = await _lock_dropped_proposals(tx, run, None if run.plan is None else Plan.model_validate(run.plan))
    await _require_unchanged_input(tx, run)
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == id).order_by(Pair.id).with_for_update())).all()
    run.version += 1
    _publish(tx, run, pairs, dropped, now)
    return run


async def conclude_replan(tx: WriteSession, run: Run, made: Plan, now: datetime) -> None:
    """What becomes of the plan of a run that events caused: it is published, left as a draft, or changes nothing.

    Nobody has seen it, so nothing is refused: what is live or was answered meanwhile is left out, and whatever else
    has changed is an event that causes the next plan.
    """
    await lock_consortium(tx, PROPOSALS, run.consortium_id)
    await tx.flush()
    dropped = await _lock_dropped_proposals(tx, run, made)
    pairs = (await tx.scalars(select(Pair).where(Pair.run_id == run.id).order_by(Pair.id).with_for_update())).all()
    late = await _live_or_decided_pairs(tx, run)
    gone = await _archived_clusters(tx, pairs)
    new = [
        one
        for one in pairs
        if (one.mentor_id, one.learner_id) not in late and not gone & {one.mentor_id, one.learner_id}
    ]
    for pair in set(pairs) - set(new):
        await tx.delete(pair)
    run.total = sum(pair.score for pair in new)
    if not new and not dropped:
        run.state, run.reason = "unchanged", "No plan is enough better than what is proposed already."
    elif Criteria.from_data(run.criteria).replan == "publish":
        _publish(tx, run, new, dropped, now)


async def _archived_clusters(tx: WriteSession, pairs: Sequence[Pair]) -> set[UUID]:
    """Clusters of the pairs that have left."""
    involved = {id for pair in pairs for id in (pair.mentor_id, pair.learner_id)}
    return set(await tx.scalars(select(Archived.cluster_id).where(Archived.cluster_id.in_(involved))))


async def _live_or_decided_pairs(tx: WriteSession, run: Run) -> set[tuple[UUID, UUID]]:
    """Pairs that are live, or were decided since the run was asked for."""
    since = or_(Pair.state.in_(["proposed", "accepted"]), Pair.decided_at >= run.created_at)
    columns = select(Pair.mentor_id, Pair.learner_id).where(Pair.consortium_id == run.consortium_id, since)
    return {(one.mentor_id, one.learner_id) for one in await tx.execute(columns)}


def _publish(tx: WriteSession, run: Run, pairs: Sequence[Pair], dropped: Sequence[Pair], now: datetime) -> None:
    run.state = "published"
    event = RunPublished(run_id=run.id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    outbox.append(tx, event, version=1)
    for pair in dropped:
        withdraw(tx, pair, "plan", now, run.id)
    until = now + timedelta(days=Criteria.from_data(run.criteria).answer_days)
    for pair in pairs:
        open_proposal(tx, pair, until)


async def _lock_dropped_proposals(tx: WriteSession, run: Run, made: Plan | None) -> Sequence[Pair]:
    """The open proposals that the run's plan does without; nobody can answer them until the end of this."""
    if made is None or not made.dropped:
        return ()
    these = tuple_(Pair.mentor_id, Pair.learner_id).in_([(one.mentor_id, one.learner_id) for one in made.dropped])
    query = select(Pair).where(Pair.consortium_id == run.consortium_id, Pair.state == "proposed", these)
    return (await tx.scalars(query.order_by(Pair.id).with_for_update())).all()


async def _require_unchanged_input(tx: WriteSession, run: Run) -> None:
    """Refuse to publish what was planned for other circumstances than these."""
    if "form" not in run.inputs:
        raise Conflict("inputs-changed", "This draft is of an earlier version of Kei. Make a new run.")
    planned = PlanInput.from_data(run.inputs)
    now = await load_plan_input(tx, run.consortium_id, planned.criteria, planned.today)
    now = replace(now, forced=planned.forced, forbidden=planned.forbidden, seed=planned.seed)
    if now.digest != run.inputs_hash:
        said = " ".join(describe_changes(planned, now))
        raise Conflict("inputs-changed", f"Since this draft was made: {said} Make a new run.")
