"""Keeping the projection: older versions are ignored, so any order of arrival ends in one state.

What is kept comes with the version of its event. Rows are written in order of their keys, so that two transactions that
write some of the same never wait for each other in a ring.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, text, update
from sqlalchemy.dialects.postgresql import Insert, insert

from services.matching.tables import (
    PROJECTED,
    Activity,
    Archived,
    Base,
    Cluster,
    Gain,
    Level,
    Measurement,
    ReplanCause,
    Request,
    Slots,
    Target,
)
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.members import (
    AssessmentRecorded,
    CapacityChanged,
    ClusterArchived,
    ClusterFacts,
    ClusterRegistered,
    ServiceRequested,
    TargetSet,
)
from shared.events.trainings import TrainingCompleted, TrainingPublished

Row = dict[str, Any]


async def upsert_clusters(tx: WriteSession, kept: Sequence[tuple[ClusterFacts, int]]) -> None:
    """Who clusters are."""
    rows = [
        {
            "id": facts.cluster_id,
            "consortium_id": facts.consortium_id,
            "name": facts.name,
            "country": facts.country,
            "languages": facts.languages,
            "ecosystems": facts.ecosystems,
            "stages": facts.value_chain_stages,
            "label": facts.label,
            "label_valid_until": facts.label_valid_until,
            "version": version,
        }
        for facts, version in kept
    ]
    await _upsert(tx, Cluster, rows)


async def upsert_slots(tx: WriteSession, kept: Sequence[tuple[ClusterRegistered | CapacityChanged, int]]) -> None:
    """How many clusters can take on each side. What is taken stays taken."""
    rows = [
        {
            "cluster_id": data.cluster_id,
            "side": side,
            "capacity": limit,
            "used": 0,
            "ceiling": limit,
            "version": version,
        }
        for data, version in kept
        for side, limit in (("mentor", data.mentor_capacity), ("learner", data.learner_capacity))
    ]
    new = insert(Slots).excluded
    changes = {"capacity": new.capacity, "ceiling": func.greatest(new.capacity, Slots.used), "version": new.version}
    await _upsert(tx, Slots, rows, changes)


async def project_archived(tx: WriteSession, kept: Sequence[ClusterArchived]) -> None:
    """Who has left. Nobody comes back."""
    rows = [{"cluster_id": one.cluster_id} for one in kept]
    await _write(tx, Archived, insert(Archived).on_conflict_do_nothing(), rows)


async def upsert_levels(tx: WriteSession, kept: Sequence[tuple[AssessmentRecorded, int]]) -> None:
    """What clusters can, as far as assessments say, and could after each of them."""
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
        for recorded, version in kept
        for one in recorded.levels
    ]
    await _upsert(tx, Level, rows)
    kept_names = ("cluster_id", "framework", "indicator", "version", "level", "assessed_on")
    history = [{name: row[name] for name in kept_names} for row in rows]
    await _write(tx, Measurement, insert(Measurement).on_conflict_do_nothing(), history)


async def upsert_targets(tx: WriteSession, kept: Sequence[tuple[TargetSet, int]]) -> None:
    """What clusters want to reach."""
    names = ("cluster_id", "framework", "indicator", "level", "priority")
    rows = [{name: getattr(target, name) for name in names} | {"version": version} for target, version in kept]
    await _upsert(tx, Target, rows)


async def project_requests(tx: WriteSession, events: Sequence[Event[ServiceRequested]]) -> list[Request]:
    """What clusters ask for, and when. It never changes."""
    names = ("cluster_id", "framework", "indicator", "urgency")
    rows = [
        {"id": event.data.request_id, "asked_on": event.time.date(), "event_id": event.id}
        | {name: getattr(event.data, name) for name in names}
        for event in events
    ]
    await _write(tx, Request, insert(Request).on_conflict_do_nothing(), rows)
    return [Request(**row) for row in rows]


async def project_gains(tx: WriteSession, kept: Sequence[TrainingCompleted]) -> None:
    """What clusters gained in trainings, which took place. It never changes."""
    rows = [
        {
            "activity_id": completed.activity_id,
            "cluster_id": one.cluster_id,
            "framework": one.framework,
            "indicator": one.indicator,
            "gain": one.gain,
            "ended_on": completed.ended_on,
        }
        for completed in kept
        for one in completed.gains
    ]
    await _write(tx, Gain, insert(Gain).on_conflict_do_nothing(), rows)
    await _upsert_activities(tx, [_activity(completed) | {"completed": True} for completed in kept], ["completed"])


async def project_activities(tx: WriteSession, kept: Sequence[TrainingPublished]) -> None:
    """Which trainings and visits there are to be."""
    rows = [
        _activity(one)
        | {"title": one.title, "starts_on": one.starts_on, "teaches": [taught.model_dump() for taught in one.teaches]}
        for one in kept
    ]
    await _upsert_activities(tx, rows, ["title", "starts_on", "teaches"])


def _activity(of: TrainingPublished | TrainingCompleted) -> Row:
    """What both events tell, with what neither may know yet."""
    own = {"id": of.activity_id, "consortium_id": of.consortium_id, "host_id": of.host_cluster_id, "kind": of.kind}
    return own | {"title": None, "starts_on": None, "teaches": [], "completed": False}


async def _upsert_activities(tx: WriteSession, rows: Sequence[Row], told: Sequence[str]) -> None:
    """Insert activities, or change what an event of their kind tells."""
    statement = insert(Activity)
    changes = {name: statement.excluded[name] for name in told}
    await _write(tx, Activity, statement.on_conflict_do_update(index_elements=["id"], set_=changes), rows)


async def reset(tx: WriteSession, consumer: str) -> None:
    """Empty the projection and forget which events were handled, so that a replay builds it anew.

    What matching decided itself, its runs, pairs, the places they take and which requests are answered, stays; so do
    dead letters. No event is handled and no place taken meanwhile: an event handled in between would be lost.
    """
    await tx.execute(text("LOCK TABLE inbox, places IN EXCLUSIVE MODE"))
    for table in PROJECTED:
        await tx.execute(delete(table))
    await tx.execute(delete(ReplanCause))
    await tx.execute(update(Slots).values(capacity=0, ceiling=Slots.used, version=0))
    handled = text("DELETE FROM inbox WHERE consumer = :consumer AND state IN ('pending', 'done')")
    await tx.execute(handled, {"consumer": consumer})


async def _upsert(
    tx: WriteSession, table: type[Base], rows: Sequence[Row], changes: dict[str, ColumnElement[Any]] | None = None
) -> None:
    """Insert rows; where there is an older one, change it (by default to what is new)."""
    statement = insert(table)
    columns = table.__table__.columns
    if changes is None:
        changes = {one.name: statement.excluded[one.name] for one in columns if not one.primary_key}
    older = columns["version"] < statement.excluded["version"]
    keys = [one.name for one in columns if one.primary_key]
    await _write(tx, table, statement.on_conflict_do_update(index_elements=keys, set_=changes, where=older), rows)


async def _write(tx: WriteSession, table: type[Base], statement: Insert, rows: Sequence[Row]) -> None:
    keys = [one.name for one in table.__table__.primary_key]
    if rows:
        await tx.execute(statement, sorted(rows, key=lambda row: [row[name] for name in keys]))
