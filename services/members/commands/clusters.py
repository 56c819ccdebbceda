"""Clusters: register, change, set capacity, archive."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.members.rules.vocabulary import Country, Ecosystem, Label, Language, Stage
from services.members.tables import Cluster, Consortium
from shared import outbox
from shared.dates import Day, PartialDay
from shared.db import WriteSession
from shared.errors import Conflict, Forbidden, NotFound, Stale
from shared.events.members import CapacityChanged, ClusterArchived, ClusterChanged, ClusterRegistered
from shared.schemas import LongText, Name, RequestModel, Slug, WebAddress

Capacity = Annotated[int, Field(ge=0, le=100)]


class ClusterFacts(RequestModel):
    """What is known of a cluster."""

    slug: Slug
    name: Name
    country: Country
    region: Name | None = None
    founded_on: PartialDay | None = None
    website: WebAddress | None = None
    ecosystems: Annotated[list[Ecosystem], Field(max_length=14)]
    languages: Annotated[list[Language], Field(max_length=20)]
    value_chain_stages: Annotated[list[Stage], Field(max_length=7, default_factory=list)]
    specialisation: LongText | None = None
    label: Label = Label.none
    label_valid_until: Day | None = None
    illustrative: Annotated[
        list[Slug], Field(max_length=30, default_factory=list, description="fields without a public source")
    ]


class NewCluster(ClusterFacts):
    """A cluster to be registered."""

    consortium_id: UUID
    mentor_capacity: Capacity = 0
    learner_capacity: Capacity = 1


class NewCapacity(RequestModel):
    """How many clusters a cluster can mentor, and learn from, at the same time."""

    mentor_capacity: Capacity
    learner_capacity: Capacity


async def require_permission(tx: WriteSession, may_act: Callable[[UUID, UUID], bool], id: UUID) -> None:
    """Refuse unless `may_act(cluster, consortium)`. The error does not tell whether the cluster exists.

    Raises:
        NotFound
    """
    consortium_id = await tx.scalar(select(Cluster.consortium_id).where(Cluster.id == id))
    if consortium_id is None or not may_act(id, consortium_id):
        raise NotFound("no-such-cluster", "There is no such cluster.")


async def register(tx: WriteSession, id: UUID, new: NewCluster) -> Cluster:
    """Add a cluster to a consortium.

    Raises:
        NotFound: no such consortium.
        Conflict: the slug or the name is taken there.
    """
    if await _lock_names(tx, new.consortium_id) is None:
        raise NotFound("no-such-consortium", "There is no such consortium.", field="consortium_id")
    cluster = Cluster(id=id, **new.model_dump())
    tx.add(cluster)
    await _flush(tx, new.slug)
    await _require_own_name(tx, cluster)
    event = ClusterRegistered.model_validate(cluster, from_attributes=True)
    outbox.append(tx, event, version=cluster.version)
    return cluster


async def change(
    tx: WriteSession, id: UUID, expected_version: int, facts: ClusterFacts, *, may_label: bool = True
) -> Cluster:
    """Replace what is known of a cluster. A changed label can expire again.

    Raises:
        NotFound, Stale.
        Conflict: it has left, or another cluster has the slug or the name.
        Forbidden: the label would change, and the caller `may_label` not.
    """
    cluster = await lock_cluster(tx, id, expected_version)
    same_label = (cluster.label, cluster.label_valid_until) == (facts.label, facts.label_valid_until)
    if not (same_label or may_label):
        raise Forbidden("not-your-label", "Only a coordinator changes the label of a cluster.", field="label")
    if is_renamed := cluster.name != facts.name:
        await _lock_names(tx, cluster.consortium_id)
    cluster.label_expired = cluster.label_expired and same_label
    for name, value in facts.model_dump().items():
        setattr(cluster, name, value)
    version = next_version(cluster)
    await _flush(tx, facts.slug)
    if is_renamed:
        await _require_own_name(tx, cluster)
    outbox.append(tx, ClusterChanged.model_validate(cluster, from_attributes=True), version=version)
    return cluster


async def _flush(tx: WriteSession, slug: str) -> None:
    try:
        await tx.flush()
    except IntegrityError as error:
        raise Conflict("slug-taken", f"The consortium has a cluster {slug!r} already.", field="slug") from error


async def _lock_names(tx: WriteSession, consortium_id: UUID) -> UUID | None:
    """Keep others from naming clusters of a consortium until the transaction ends; None if there is no consortium."""
    query = select(Consortium.id).where(Consortium.id == consortium_id).with_for_update(key_share=True)
    return await tx.scalar(query)


async def _require_own_name(tx: WriteSession, cluster: Cluster) -> None:
    """Refuse a name that people would take for that of another cluster of the consortium."""
    others = select(Cluster.id).where(
        Cluster.consortium_id == cluster.consortium_id,
        Cluster.id != cluster.id,
        ~Cluster.archived,
        Cluster.name_key == cluster.name_key,
    )
    if await tx.scalar(others.limit(1)) is not None:
        message = f"The consortium has a cluster {cluster.name!r} already."
        raise Conflict("name-taken", message, field="name")


async def set_capacity(tx: WriteSession, id: UUID, expected_version: int, capacity: NewCapacity) -> Cluster:
    """Set how many clusters a cluster can mentor, and learn from, at the same time.

    Raises:
        NotFound, Conflict, Stale.
    """
    cluster = await lock_cluster(tx, id, expected_version)
    cluster.mentor_capacity, cluster.learner_capacity = capacity.mentor_capacity, capacity.learner_capacity
    event = CapacityChanged(
        cluster_id=id,
        consortium_id=cluster.consortium_id,
        mentor_capacity=capacity.mentor_capacity,
        learner_capacity=capacity.learner_capacity,
    )
    outbox.append(tx, event, version=next_version(cluster))
    return cluster


async def archive(tx: WriteSession, id: UUID, expected_version: int) -> Cluster:
    """Record that a cluster has left. Its data stays, and its slug stays taken.

    Raises:
        NotFound, Conflict, Stale.
    """
    cluster = await lock_cluster(tx, id, expected_version)
    cluster.archived = True
    event = ClusterArchived(cluster_id=id, consortium_id=cluster.consortium_id)
    outbox.append(tx, event, version=next_version(cluster))
    return cluster


async def lock_cluster(tx: WriteSession, id: UUID, expected_version: int | None = None) -> Cluster:
    """The cluster, with its row locked until the end of the transaction.

    Raises:
        NotFound: no such cluster.
        Conflict: it has left; it cannot be changed any more.
        Stale: its version is not `expected_version`.
    """
    cluster = await tx.scalar(select(Cluster).where(Cluster.id == id).with_for_update())
    if cluster is None:
        raise NotFound("no-such-cluster", "There is no such cluster.")
    if cluster.archived:
        raise Conflict("archived", "This cluster has left; it cannot be changed any more.")
    if expected_version is not None and cluster.version != expected_version:
        raise Stale(
            "stale", f"The cluster has changed since: it is at version {cluster.version}, not {expected_version}."
        )
    return cluster


def next_version(cluster: Cluster) -> int:
    """Increment the cluster's version; it is the version of the event that the caller appends."""
    cluster.version += 1
    return cluster.version
