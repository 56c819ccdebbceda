"""Publication of plans: new pairs are proposed, and open proposals that are not in the plan are withdrawn."""

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
    """Publish the draft of a run.

    Raises:
        NotFound: also if `right(consortium)` is false.
        Stale
        Conflict: it is published or not a draft, or its plan input has changed since.
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
    pairs = await _lock_draft_pairs(tx, run)
    run.version += 1
    _publish(tx, run, pairs, dropped, now)
    return run


async def conclude_replan(tx: WriteSession, run: Run, plan: Plan, now: datetime) -> None:
    """Publish the plan of a replan, leave it as a draft, or mark the run as unchanged, as its criteria say.

    Nobody has reviewed the plan, so changes since the request are no conflict: pairs that are live, were decided or
    lost a cluster meanwhile are left out, and every other change is the cause of the next replan.
    """
    await lock_consortium(tx, PROPOSALS, run.consortium_id)
    await tx.flush()
    dropped = await _lock_dropped_proposals(tx, run, plan)
    pairs = await _lock_draft_pairs(tx, run)
    taken = await _live_or_decided_pairs(tx, run)
    archived = await _archived_clusters(tx, pairs)
    new_pairs = [
        pair
        for pair in pairs
        if (pair.mentor_id, pair.learner_id) not in taken and not archived & {pair.mentor_id, pair.learner_id}
    ]
    for pair in set(pairs) - set(new_pairs):
        await tx.delete(pair)
    run.total = sum(pair.score for pair in new_pairs)
    if not new_pairs and not dropped:
        run.state, run.reason = "unchanged", "No plan is better enough to change the open proposals."
    elif Criteria.from_data(run.criteria).replan == "publish":
        _publish(tx, run, new_pairs, dropped, now)


async def _lock_draft_pairs(tx: WriteSession, run: Run) -> Sequence[Pair]:
    return (await tx.scalars(select(Pair).where(Pair.run_id == run.id).order_by(Pair.id).with_for_update())).all()


async def _archived_clusters(tx: WriteSession, pairs: Sequence[Pair]) -> set[UUID]:
    """The archived ones among the clusters of the pairs."""
    cluster_ids = {id for pair in pairs for id in (pair.mentor_id, pair.learner_id)}
    return set(await tx.scalars(select(Archived.cluster_id).where(Archived.cluster_id.in_(cluster_ids))))


async def _live_or_decided_pairs(tx: WriteSession, run: Run) -> set[tuple[UUID, UUID]]:
    """Mentors and learners whose pair is live, or was decided after the run was requested."""
    is_taken = or_(Pair.state.in_(["proposed", "accepted"]), Pair.decided_at >= run.created_at)
    query = select(Pair.mentor_id, Pair.learner_id).where(Pair.consortium_id == run.consortium_id, is_taken)
    return {(row.mentor_id, row.learner_id) for row in await tx.execute(query)}


def _publish(tx: WriteSession, run: Run, pairs: Sequence[Pair], dropped: Sequence[Pair], now: datetime) -> None:
    run.state = "published"
    event = RunPublished(run_id=run.id, consortium_id=run.consortium_id, pairs=len(pairs), total_hundredths=run.total)
    outbox.append(tx, event, version=1)
    for pair in dropped:
        withdraw(tx, pair, "plan", now, run.id)
    expires_at = now + timedelta(days=Criteria.from_data(run.criteria).answer_days)
    for pair in pairs:
        open_proposal(tx, pair, expires_at)


async def _lock_dropped_proposals(tx: WriteSession, run: Run, plan: Plan | None) -> Sequence[Pair]:
    """The open proposals that are not in the plan of the run, locked."""
    if plan is None or not plan.dropped:
        return ()
    is_dropped = tuple_(Pair.mentor_id, Pair.learner_id).in_(
        [(pair.mentor_id, pair.learner_id) for pair in plan.dropped]
    )
    query = select(Pair).where(Pair.consortium_id == run.consortium_id, Pair.state == "proposed", is_dropped)
    return (await tx.scalars(query.order_by(Pair.id).with_for_update())).all()


async def _require_unchanged_input(tx: WriteSession, run: Run) -> None:
    """Refuse to publish a plan whose input is not the current one."""
    if "form" not in run.inputs:
        raise Conflict("inputs-changed", "This draft was made by an earlier version of Kei. Make a new run.")
    planned = PlanInput.from_data(run.inputs)
    current = await load_plan_input(tx, run.consortium_id, planned.criteria, planned.today)
    current = replace(current, forced=planned.forced, forbidden=planned.forbidden, seed=planned.seed)
    if current.digest != run.inputs_hash:
        changes = " ".join(describe_changes(planned, current))
        raise Conflict("inputs-changed", f"Since this draft was made: {changes} Make a new run.")
