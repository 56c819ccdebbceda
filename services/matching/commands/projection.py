"""Updates of the projection. Older versions are ignored, so events may arrive in any order.

Rows are written in order of their keys, so that two transactions that write the same rows cannot deadlock.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

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

Row: TypeAlias = dict[str, Any]


async def upsert_clusters(tx: WriteSession, facts: Sequence[tuple[ClusterFacts, int]]) -> None:
    """Write the facts of clusters, each with the version of its event."""
    rows = [
        {
            "id": cluster.cluster_id,
            "consortium_id": cluster.consortium_id,
            "name": cluster.name,
            "country": cluster.country,
            "languages": cluster.languages,
            "ecosystems": cluster.ecosystems,
            "stages": cluster.value_chain_stages,
            "label": cluster.label,
            "label_valid_until": cluster.label_valid_until,
            "version": version,
        }
        for cluster, version in facts
    ]
    await _upsert(tx, Cluster, rows)


async def upsert_slots(tx: WriteSession, capacities: Sequence[tuple[ClusterRegistered | CapacityChanged, int]]) -> None:
    """Write the capacity of clusters in both roles, each with the version of its event. Slots in use stay in use."""
    rows = [
        {
            "cluster_id": data.cluster_id,
            "role": role,
            "capacity": capacity,
            "used": 0,
            "ceiling": capacity,
            "version": version,
        }
        for data, version in capacities
        for role, capacity in (("mentor", data.mentor_capacity), ("learner", data.learner_capacity))
    ]
    new = insert(Slots).excluded
    changes = {"capacity": new.capacity, "ceiling": func.greatest(new.capacity, Slots.used), "version": new.version}
    await _upsert(tx, Slots, rows, changes)


async def project_archived(tx: WriteSession, archived: Sequence[ClusterArchived]) -> None:
    """Insert archived clusters. Archiving is final."""
    rows = [{"cluster_id": data.cluster_id} for data in archived]
    await _write(tx, Archived, insert(Archived).on_conflict_do_nothing(), rows)


async def upsert_levels(tx: WriteSession, assessments: Sequence[tuple[AssessmentRecorded, int]]) -> None:
    """Write current levels, each assessment with the version of its event, and append them to the level history."""
    rows = [
        {
            "cluster_id": assessment.cluster_id,
            "framework": assessment.framework,
            "indicator": level.indicator,
            "level": level.level,
            "scale_max": assessment.scale_max,
            "assessed_on": level.assessed_on,
            "version": version,
        }
        for assessment, version in assessments
        for level in assessment.levels
    ]
    await _upsert(tx, Level, rows)
    columns = ("cluster_id", "framework", "indicator", "version", "level", "assessed_on")
    history = [{name: row[name] for name in columns} for row in rows]
    await _write(tx, Measurement, insert(Measurement).on_conflict_do_nothing(), history)


async def upsert_targets(tx: WriteSession, targets: Sequence[tuple[TargetSet, int]]) -> None:
    """Write the targets of clusters, each with the version of its event."""
    rows = [
        {
            "cluster_id": target.cluster_id,
            "framework": target.framework,
            "indicator": target.indicator,
            "level": target.level,
            "priority": target.priority,
            "version": version,
        }
        for target, version in targets
    ]
    await _upsert(tx, Target, rows)


async def project_requests(tx: WriteSession, events: Sequence[Event[ServiceRequested]]) -> list[Request]:
    """Insert service requests, which never change.

    Returns:
        The requests of the events, whether they are new or not.
    """
    rows = [
        {
            "id": event.data.request_id,
            "cluster_id": event.data.cluster_id,
            "framework": event.data.framework,
            "indicator": event.data.indicator,
            "urgency": event.data.urgency,
            "requested_on": event.time.date(),
            "event_id": event.id,
        }
        for event in events
    ]
    await _write(tx, Request, insert(Request).on_conflict_do_nothing(), rows)
    return [Request(**row) for row in rows]


async def project_gains(tx: WriteSession, completed: Sequence[TrainingCompleted]) -> None:
    """Insert the gains of completed activities, which never change, and mark the activities as completed."""
    rows = [
        {
            "activity_id": training.activity_id,
            "cluster_id": gain.cluster_id,
            "framework": gain.framework,
            "indicator": gain.indicator,
            "gain": gain.gain,
            "ended_on": training.ended_on,
        }
        for training in completed
        for gain in training.gains
    ]
    await _write(tx, Gain, insert(Gain).on_conflict_do_nothing(), rows)
    activities = [_activity(training) | {"completed": True} for training in completed]
    await _upsert_activities(tx, activities, ["completed"])


async def project_activities(tx: WriteSession, published: Sequence[TrainingPublished]) -> None:
    """Write the facts of published activities."""
    rows = [
        _activity(training)
        | {
            "title": training.title,
            "starts_on": training.starts_on,
            "teaches": [taught.model_dump() for taught in training.teaches],
        }
        for training in published
    ]
    await _upsert_activities(tx, rows, ["title", "starts_on", "teaches"])


def _activity(data: TrainingPublished | TrainingCompleted) -> Row:
    """The columns that both events fill, and defaults for those that only one of them fills."""
    return {
        "id": data.activity_id,
        "consortium_id": data.consortium_id,
        "host_id": data.host_cluster_id,
        "kind": data.kind,
        "title": None,
        "starts_on": None,
        "teaches": [],
        "completed": False,
    }


async def _upsert_activities(tx: WriteSession, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Insert activities; of those that exist, update only `columns`, which this kind of event fills."""
    statement = insert(Activity)
    changes = {name: statement.excluded[name] for name in columns}
    await _write(tx, Activity, statement.on_conflict_do_update(index_elements=["id"], set_=changes), rows)


async def reset(tx: WriteSession, consumer: str) -> None:
    """Empty the projection and the inbox, so that a replay of the events rebuilds the projection.

    Runs, pairs, used slots, resolved requests and dead letters stay. The tables are locked: no event is handled and no
    slot taken until the transaction ends, because an event that is handled in between would be lost.
    """
    await tx.execute(text("LOCK TABLE inbox, slots IN EXCLUSIVE MODE"))
    for table in PROJECTED:
        await tx.execute(delete(table))
    await tx.execute(delete(ReplanCause))
    await tx.execute(update(Slots).values(capacity=0, ceiling=Slots.used, version=0))
    delete_handled = text("DELETE FROM inbox WHERE consumer = :consumer AND state IN ('pending', 'done')")
    await tx.execute(delete_handled, {"consumer": consumer})


async def _upsert(
    tx: WriteSession, table: type[Base], rows: Sequence[Row], changes: dict[str, ColumnElement[Any]] | None = None
) -> None:
    """Insert rows; update rows of an older version with `changes` (default: all columns)."""
    statement = insert(table)
    columns = table.__table__.columns
    if changes is None:
        changes = {column.name: statement.excluded[column.name] for column in columns if not column.primary_key}
    is_older = columns["version"] < statement.excluded["version"]
    keys = [column.name for column in columns if column.primary_key]
    await _write(tx, table, statement.on_conflict_do_update(index_elements=keys, set_=changes, where=is_older), rows)


async def _write(tx: WriteSession, table: type[Base], statement: Insert, rows: Sequence[Row]) -> None:
    keys = [column.name for column in table.__table__.primary_key]
    if rows:
        await tx.execute(statement, sorted(rows, key=lambda row: [row[name] for name in keys]))
