"""What-ifs: a plan for what is not so, kept beside the plan for what is."""

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
"""The solver, wherever it runs: the plan, and the milliseconds it took."""


async def create(
    tx: WriteSession, id: UUID, consortium_id: UUID, name: str, changes: WhatIfChanges, today: date, solve: Solve
) -> WhatIf:
    """Plan for what is supposed, beside the plan by the criteria of the last plan that was published, and keep both.

    Raises:
        NotFound: no cluster of that consortium, or not one that is named, is known.
        Invalid: what is supposed contradicts itself.
        Conflict: a plan cannot be found.
    """
    now = await load_plan_input_or_404(tx, consortium_id, await _published_criteria(tx, consortium_id), today)
    if changes.clusters - {one.id for one in now.clusters}:
        raise NotFound("no-such-cluster", "A cluster that is named is not of this consortium.")
    question = validated(with_changes(now, changes))
    before, _ = await solve(now)
    after, took = await solve(question)
    made = WhatIf(
        id=id,
        consortium_id=consortium_id,
        name=name,
        inputs=question.as_data(),
        only_the_plan=changes.only_the_plan,
        plan=after.model_dump(mode="json"),
        comparison=compare(now, before, question, after).model_dump(mode="json"),
        took_ms=took,
    )
    tx.add(made)
    await tx.flush()
    return made


async def _published_criteria(tx: WriteSession, consortium_id: UUID) -> Criteria:
    """By what the last published plan was made, or those that a consortium begins with."""
    published = select(Run.criteria).where(Run.consortium_id == consortium_id, Run.state == "published")
    kept = await tx.scalar(published.where(Run.plan.is_not(None)).order_by(Run.id.desc()).limit(1))
    return Criteria() if kept is None else Criteria.from_data(kept)


async def draft(tx: WriteSession, id: UUID, run_id: UUID, right: Callable[[UUID], bool], today: date) -> Run:
    """Ask for a run by the criteria and pairs of a what-if, if `right(consortium)`, for what is so now.

    Raises:
        NotFound.
        Conflict: it supposes what nobody who plans can decide.
    """
    found = await tx.scalar(select(WhatIf).where(WhatIf.id == id).options(undefer(WhatIf.inputs)))
    if found is None or not right(found.consortium_id):
        raise NotFound("no-such-what-if", "There is no such what-if.")
    if not found.only_the_plan:
        message = "It supposes other levels, targets or clusters; only criteria and pairs can be made into a draft."
        raise Conflict("only-supposed", message)
    asked = PlanInput.from_data(found.inputs)
    wish = RunRequest(asked.criteria, asked.forced, asked.forbidden, asked.seed)
    return await begin(tx, run_id, found.consortium_id, wish, today)
