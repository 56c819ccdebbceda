"""Keeping the projection: one statement an event, older versions ignored, so any order of arrival ends in one state."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert

from services.matching.tables import Base, Cluster, Gain, Level, Places, Request, Target
from shared.db import WriteSession
from shared.events.members import AssessmentRecorded, ClusterFacts, ServiceRequested, TargetSet
from shared.events.trainings import TrainingCompleted

PROJECTED = (Cluster, Level, Target, Request, Gain)


async def keep_cluster(tx: WriteSession, facts: ClusterFacts, version: int) -> None:
    """Who a cluster is."""
    row = {
        "id": facts.cluster_id,
        "consortium_id": facts.consortium_id,
        "name": facts.name,
        "country": facts.country,
        "languages": facts.languages,
        "ecosystems": facts.ecosystems,
        "stages": facts.value_chain_stages,
        "version": version,
    }
    await _upsert(tx, Cluster, [row])


async def keep_places(tx: WriteSession, cluster_id: UUID, capacity: dict[str, int], version: int) -> None:
    """How many a cluster can take on each side. What is taken stays taken."""
    rows = [
        {"cluster_id": cluster_id, "side": side, "capacity": limit, "used": 0, "ceiling": limit, "version": version}
        for side, limit in sorted(capacity.items())
    ]
    statement = insert(Places).values(rows)
    new = statement.excluded
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["cluster_id", "side"],
            set_={
                "capacity": new.capacity,
                "ceiling": func.greatest(new.capacity, Places.used),
                "version": new.version,
            },
            where=Places.version < new.version,
        )
    )


async def keep_levels(tx: WriteSession, recorded: AssessmentRecorded, version: int) -> None:
    """What a cluster can, as far as an assessment says."""
    rows = [
        {
            "cluster_id": recorded.cluster_id,
            "framework": recorded.framework,
            "indicator": one.indicator,
            "level": one.level,
            "scale_max": recorded.scale_max,
            "assessed_on": one.assessed_on,
            "version": version,
        }
        for one in recorded.levels
    ]
    await _upsert(tx, Level, rows)


async def keep_target(tx: WriteSession, target: TargetSet, version: int) -> None:
    """What a cluster wants to reach."""
    names = ("cluster_id", "framework", "indicator", "level", "priority")
    await _upsert(tx, Target, [{name: getattr(target, name) for name in names} | {"version": version}])


async def keep_request(tx: WriteSession, request: ServiceRequested) -> None:
    """What a cluster asks for."""
    row = {name: getattr(request, name) for name in ("cluster_id", "framework", "indicator", "urgency")}
    await tx.execute(insert(Request).values(id=request.request_id, **row).on_conflict_do_nothing())


async def keep_gains(tx: WriteSession, completed: TrainingCompleted) -> None:
    """What clusters gained in a training."""
    rows = [
        {
            "activity_id": completed.activity_id,
            "cluster_id": one.cluster_id,
            "framework": one.framework,
            "indicator": one.indicator,
            "gain": one.gain,
            "ended_on": completed.ended_on,
        }
        for one in completed.gains
    ]
    if rows:
        await tx.execute(insert(Gain).values(rows).on_conflict_do_nothing())


async def forget(tx: WriteSession, consumer: str) -> None:
    """Empty the projection and forget which events were handled, so that a replay builds it anew.

    What matching decided itself, its runs, pairs and the places they take, stays.
    """
    for table in PROJECTED:
        await tx.execute(delete(table))
    await tx.execute(update(Places).values(capacity=0, ceiling=Places.used, version=0))
    await tx.execute(text("DELETE FROM inbox WHERE consumer = :consumer AND state <> 'dead'"), {"consumer": consumer})


async def _upsert(tx: WriteSession, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(table).values(rows)
    keys = [column.name for column in table.__table__.primary_key]
    new = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    older = table.__table__.c.version < statement.excluded["version"]
    await tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=new, where=older))
