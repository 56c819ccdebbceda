"""`/what-ifs`: what would be, if."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import Field

from services.matching.commands import what_ifs as commands
from services.matching.queries import what_ifs as queries
from services.matching.routes.criteria import ByCriteria
from services.matching.routes.runs import RunView, TwoIds, twos
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


class SupposedLevel(RequestModel):
    """A level that a cluster is supposed to have."""

    cluster_id: UUID
    framework: Slug
    indicator: Slug
    level: int = Field(ge=0, le=100)


class SupposedTarget(SupposedLevel):
    """A target that a cluster is supposed to have set."""

    priority: int = Field(ge=1, le=5)


class NewWhatIf(ByCriteria):
    """What is supposed, beside what is so. Whatever is left out is as it is."""

    name: Name
    forced: list[TwoIds] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    forbidden: list[TwoIds] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    levels: list[SupposedLevel] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    targets: list[SupposedTarget] = Field(default=[], max_length=MAX_SUPPOSITIONS)
    without: list[UUID] = Field(
        default=[], max_length=MAX_SUPPOSITIONS, description="clusters that are supposed not to be there"
    )

    def changes(self, criteria: Criteria) -> WhatIfChanges:
        """As rules know it."""
        return WhatIfChanges(
            criteria=criteria,
            forced=twos(self.forced),
            forbidden=twos(self.forbidden),
            levels={(one.cluster_id, Skill(one.framework, one.indicator)): one.level for one in self.levels},
            targets={
                (one.cluster_id, Skill(one.framework, one.indicator)): TargetLevel(one.level, one.priority)
                for one in self.targets
            },
            without=frozenset(self.without),
        )


class WhatIfView(ResponseModel):
    """A what-if: `comparison` has the plan for what is so before, and that for what is supposed after."""

    id: UUID
    consortium_id: UUID
    name: str
    only_the_plan: bool
    comparison: Comparison
    took_ms: int
    created_at: datetime


class WhatIfInFull(WhatIfView):
    """A what-if with the criteria that it was planned by, and the pairs that were to be in the plan, or not to be."""

    criteria: dict[str, Any]
    forced: list[TwoIds]
    forbidden: list[TwoIds]


@router.post("/what-ifs", status_code=201)
async def make_what_if(caller: Manager, tx: Tx, body: NewWhatIf, request: Request, response: Response) -> WhatIfView:
    """Plan for what is supposed, and keep it beside the plan for what is so. Nothing else comes of it."""
    caller.enter(body.consortium_id)
    today, solve = clock.now().date(), request.app.state.solver.plan
    changes = body.changes(await body.chosen(tx, published=False))
    made = await commands.create(tx, clock.new_id(), body.consortium_id, body.name, changes, today, solve)
    response.headers["Location"] = f"what-ifs/{made.id}"
    return WhatIfView.model_validate(made)


@router.get("/what-ifs")
async def list_what_ifs(caller: Anyone, db: Read, paging: Paging) -> Page[WhatIfView]:
    """The what-ifs of the caller's consortium, oldest first."""
    rows = await queries.what_ifs(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([WhatIfView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/what-ifs/{id}")
async def show_what_if(caller: Anyone, db: Read, id: UUID) -> WhatIfInFull:
    """One what-if, with the criteria and the pairs that it was planned by."""
    found = WhatIfView.model_validate(await queries.what_if(db, id, caller.within))
    criteria, forced, forbidden = await queries.requested(db, id)
    return WhatIfInFull(**dict(found), criteria=criteria, forced=_ids(forced), forbidden=_ids(forbidden))


def _ids(pairs: Sequence[PairKey]) -> list[TwoIds]:
    return [TwoIds(mentor_id=two.mentor_id, learner_id=two.learner_id) for two in pairs]


@router.get("/what-ifs/{id}/plan")
async def show_what_if_plan(caller: Anyone, db: Read, id: UUID) -> Plan:
    """The whole plan of a what-if."""
    return await queries.plan(db, id, caller.within)


@router.post("/what-ifs/{id}/drafts", status_code=201)
async def draft_what_if(caller: Coordinator, tx: Tx, id: UUID, response: Response) -> RunView:
    """Ask for a run by a what-if's criteria and pairs, for what is so now. It is published like any other."""
    run = await commands.draft(tx, id, clock.new_id(), caller.within, clock.now().date())
    response.headers["Location"] = f"../../runs/{run.id}"
    etag(response, run.version)
    return RunView.model_validate(run)
