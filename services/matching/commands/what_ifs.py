"""What-ifs: plans with changed inputs that never touch the live plan."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import undefer

from services.matching.commands.runs import RunRequest, begin
from services.matching.queries.plan_input import load_plan_input_or_404, validated
from services.matching.rules.explaining.plan_diff import compare
from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.rules.inputs.what_if import WhatIfChanges, with_changes
from services.matching.tables import Run, WhatIf
from shared.db import WriteSession
from shared.errors import Conflict, NotFound

Solve = Callable[[PlanInput], Awaitable[tuple[Plan, int]]]
"""The solver, in whatever process: the plan, and the milliseconds it took."""


async def create(
    tx: WriteSession, id: UUID, consortium_id: UUID, name: str, changes: WhatIfChanges, today: date, solve: Solve
) -> WhatIf:
    """Plan with changed inputs and with the criteria of the last published plan; store the former and the comparison.

    Raises:
        NotFound: the consortium or a cluster of the changes is not known.
        Invalid: the changes contradict themselves or the data.
        Conflict: no plan could be made.
    """
    current = await load_plan_input_or_404(tx, consortium_id, await _published_criteria(tx, consortium_id), today)
    if changes.clusters - {cluster.id for cluster in current.clusters}:
        raise NotFound("no-such-cluster", "A cluster of the changes does not belong to this consortium.")
    changed = validated(with_changes(current, changes))
    before, _ = await solve(current)
    after, took_ms = await solve(changed)
    what_if = WhatIf(
        id=id,
        consortium_id=consortium_id,
        name=name,
        inputs=changed.as_data(),
        only_the_plan=changes.only_the_plan,
        plan=after.model_dump(mode="json"),
        comparison=compare(current, before, changed, after).model_dump(mode="json"),
        took_ms=took_ms,
    )
    tx.add(what_if)
    await tx.flush()
    return what_if


async def _published_criteria(tx: WriteSession, consortium_id: UUID) -> Criteria:
    """The criteria of the last published run with a stored plan, else the default."""
    published = select(Run.criteria).where(Run.consortium_id == consortium_id, Run.state == "published")
    data = await tx.scalar(published.where(Run.plan.is_not(None)).order_by(Run.id.desc()).limit(1))
    return Criteria() if data is None else Criteria.from_data(data)


async def draft(tx: WriteSession, id: UUID, run_id: UUID, right: Callable[[UUID], bool], today: date) -> Run:
    """Request a run with the criteria and pairs of a what-if, from the data as they are now.

    Raises:
        NotFound: also if `right(consortium)` is false.
        Conflict: the what-if changes levels, targets or clusters.
    """
    what_if = await tx.scalar(select(WhatIf).where(WhatIf.id == id).options(undefer(WhatIf.inputs)))
    if what_if is None or not right(what_if.consortium_id):
        raise NotFound("no-such-what-if", "There is no such what-if.")
    if not what_if.only_the_plan:
        message = "It assumes other levels, targets or clusters; a draft can only use its criteria and pairs."
        raise Conflict("only-supposed", message)
    plan_input = PlanInput.from_data(what_if.inputs)
    request = RunRequest(plan_input.criteria, plan_input.forced, plan_input.forbidden, plan_input.seed)
    return await begin(tx, run_id, what_if.consortium_id, request, today)
