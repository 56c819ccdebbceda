"""`/clusters/{id}/levels`."""

from datetime import date
from uuid import UUID

from services.members.queries import levels as queries
from services.members.queries.clusters import cluster
from shared import clock
from shared.auth import Anyone
from shared.web import Read, ResponseModel, Router

router = Router(prefix="/clusters/{id}/levels")


class IndicatorStatusView(ResponseModel):
    """A cluster's level in an indicator, the assessment that it comes from, and the target."""

    framework: str
    indicator: str
    level: int | None
    kind: str | None
    assessed_on: date | None
    assessment_id: UUID | None
    target: int | None
    priority: int | None
    illustrative: bool


class IndicatorStatusList(ResponseModel):
    """The status of a cluster in all indicators that have a level or a target."""

    items: list[IndicatorStatusView]


@router.get("")
async def show_levels(caller: Anyone, db: Read, id: UUID) -> IndicatorStatusList:
    """The cluster's levels and targets today, with the assessments that the levels come from."""
    await cluster(db, id, caller.within)
    statuses = await queries.indicator_statuses(db, id, clock.now().date())
    return IndicatorStatusList(items=[_view(status) for status in statuses])


def _view(status: queries.IndicatorStatus) -> IndicatorStatusView:
    level, target = status.level, status.target
    return IndicatorStatusView(
        framework=status.framework,
        indicator=status.indicator,
        level=level.score if level else None,
        kind=level.kind.value if level else None,
        assessed_on=level.assessed_on if level else None,
        assessment_id=level.assessment_id if level else None,
        target=target.level if target else None,
        priority=target.priority if target else None,
        illustrative=status.illustrative,
    )
