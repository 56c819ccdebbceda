"""`/clusters/{id}/targets`."""

from uuid import UUID

from services.members.commands import targets as commands
from services.members.commands.clusters import require_permission
from services.members.commands.frameworks import IndicatorRef
from services.members.commands.targets import NewTarget
from shared.auth import Manager
from shared.web import ResponseModel, Router, Slug, Tx

router = Router(prefix="/clusters/{id}/targets")


class TargetView(ResponseModel):
    """The level that a cluster wants to reach in an indicator."""

    cluster_id: UUID
    framework: str
    indicator: str
    level: int
    priority: int
    illustrative: bool


@router.put("/{framework}/{indicator}")
async def set_target(
    caller: Manager, tx: Tx, id: UUID, framework: Slug, indicator: Slug, body: NewTarget
) -> TargetView:
    """Set the level that the cluster wants to reach in an indicator."""
    await require_permission(tx, caller.speaks_for, id)
    target = await commands.set_target(tx, id, IndicatorRef(framework, indicator), body)
    return TargetView.model_validate(target)
