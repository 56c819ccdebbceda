"""Targets: the level that a cluster wants to reach in an indicator."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.dialects.postgresql import insert

from services.members.commands.clusters import lock_cluster, next_version
from services.members.commands.frameworks import IndicatorRef, LevelValue, require_indicator
from services.members.tables import Target
from shared import outbox
from shared.db import WriteSession
from shared.errors import Invalid
from shared.events.members import TargetSet
from shared.schemas import RequestModel


class NewTarget(RequestModel):
    """The level a cluster wants to reach; priority 1 (would be nice) to 5 (vital)."""

    level: LevelValue
    priority: Annotated[int, Field(ge=1, le=5)]
    illustrative: bool = False


async def set_target(tx: WriteSession, cluster_id: UUID, ref: IndicatorRef, new: NewTarget) -> Target:
    """Set a cluster's target in an indicator, in place of an earlier one.

    Raises:
        NotFound, Conflict.
        Invalid: there is no such indicator, or the level is off its scale.
    """
    cluster = await lock_cluster(tx, cluster_id)
    framework = await require_indicator(tx, ref)
    if new.level > framework.scale_max:
        raise Invalid("off-scale", f"{new.level} is over the scale's end, {framework.scale_max}.", field="level")
    values = new.model_dump()
    await tx.execute(
        insert(Target)
        .values(cluster_id=cluster_id, framework=ref.framework, indicator=ref.indicator, **values)
        .on_conflict_do_update(index_elements=["cluster_id", "framework", "indicator"], set_=values)
    )
    event = TargetSet(
        cluster_id=cluster_id,
        consortium_id=cluster.consortium_id,
        framework=ref.framework,
        indicator=ref.indicator,
        level=new.level,
        priority=new.priority,
        illustrative=new.illustrative,
    )
    outbox.append(tx, event, version=next_version(cluster))
    return await tx.get_one(Target, (cluster_id, ref.framework, ref.indicator), populate_existing=True)
