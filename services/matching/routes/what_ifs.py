"""`/what-ifs`: plans with changed inputs that never touch the live plan."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import Field

from services.matching.commands import what_ifs as commands
from services.matching.queries import what_ifs as queries
from services.matching.routes.criteria import ByCriteria
from services.matching.routes.runs import PairIds, RunView, pair_keys
from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PairKey
from services.matching.rules.inputs.plan_models import Comparison, Plan
from services.matching.rules.inputs.profile import Skill, TargetLevel
from services.matching.rules.inputs.what_if import WhatIfChanges
from shared import clock
from shared.auth import Anyone, Coordinator, Manager
from shared.web import Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Slug, Tx, etag

router = Router()
MAX_SUPPOSITIONS = 500
"""Maximum length of each list of a what-if."""


class SupposedLevel(RequestModel):
    """An assumed level of a cluster."""

    cluster_id: UUID
    framework: Slug
    indicator: Slug
    level: int = Field(ge=0, le=100)


class SupposedTarget(SupposedLevel):
    """An assumed target of a cluster."""

    priority: int = Field(ge=1, le=5)


class NewWhatIf(ByCriteria):
    """The changed inputs of a what-if. What is left out stays as it is."""

    name: Name
    forced: list[PairIds] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    forbidden: list[PairIds] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    levels: list[SupposedLevel] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    targets: list[SupposedTarget] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    without: list[UUID] = Field(default=[], max_length=MAX_SUPPOSITIONS, description="clusters that are left out")

    def changes(self, criteria: Criteria) -> WhatIfChanges:
        """The changes as the rules take them."""
        return WhatIfChanges(
            criteria=criteria,
            forced=pair_keys(self.forced),
            forbidden=pair_keys(self.forbidden),
            levels={(level.cluster_id, Skill(level.framework, level.indicator)): level.level for level in self.levels},
            targets={
                (target.cluster_id, Skill(target.framework, target.indicator)): TargetLevel(
                    target.level, target.priority
                )
                for target in self.targets
            },
            without=frozenset(self.without),
        )


class WhatIfView(ResponseModel):
    """A what-if. `comparison` has the plan for the current inputs (before) and for the changed inputs (after)."""

    id: UUID
    consortium_id: UUID
    name: str
    only_the_plan: bool
    comparison: Comparison
    took_ms: int
    created_at: datetime


class WhatIfInFull(WhatIfView):
    """A what-if with its criteria, forced pairs and forbidden pairs."""

    criteria: dict[str, Any]
    forced: list[PairIds]
    forbidden: list[PairIds]


@router.post("/what-ifs", status_code=201)
async def make_what_if(caller: Manager, tx: Tx, body: NewWhatIf, request: Request, response: Response) -> WhatIfView:
    """Plan with changed inputs, and store the result with its comparison. It has no effect on live plans."""
    caller.enter(body.consortium_id)
    today, solve = clock.now().date(), request.app.state.solver.solve
    changes = body.changes(await body.chosen_criteria(tx, published=False))
    what_if = await commands.create(tx, clock.new_id(), body.consortium_id, body.name, changes, today, solve)
    response.headers["Location"] = f"what-ifs/{what_if.id}"
    return WhatIfView.model_validate(what_if)


@router.get("/what-ifs")
async def list_what_ifs(caller: Anyone, db: Read, paging: Paging) -> Page[WhatIfView]:
    """The what-ifs of the caller's consortium, oldest first."""
    rows = await queries.what_ifs(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([WhatIfView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/what-ifs/{id}")
async def show_what_if(caller: Anyone, db: Read, id: UUID) -> WhatIfInFull:
    """One what-if, with its criteria and pairs."""
    view = WhatIfView.model_validate(await queries.what_if(db, id, caller.within))
    criteria, forced, forbidden = await queries.planned_with(db, id)
    return WhatIfInFull(**dict(view), criteria=criteria, forced=_ids(forced), forbidden=_ids(forbidden))


def _ids(pairs: Sequence[PairKey]) -> list[PairIds]:
    return [PairIds(mentor_id=pair.mentor_id, learner_id=pair.learner_id) for pair in pairs]


@router.get("/what-ifs/{id}/plan")
async def show_what_if_plan(caller: Anyone, db: Read, id: UUID) -> Plan:
    """The whole plan of a what-if."""
    return await queries.plan(db, id, caller.within)


@router.post("/what-ifs/{id}/drafts", status_code=201)
async def draft_what_if(caller: Coordinator, tx: Tx, id: UUID, response: Response) -> RunView:
    """Request a run with the criteria and pairs of a what-if, from the data as they are now."""
    run = await commands.draft(tx, id, clock.new_id(), caller.within, clock.now().date())
    response.headers["Location"] = f"../../runs/{run.id}"
    etag(response, run.version)
    return RunView.model_validate(run)
