"""Consortia and clusters: create, change, set capacity."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.members.tables import Cluster, Consortium
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound, Stale
from shared.events.members import CapacityChanged, ClusterArchived, ClusterChanged, ClusterRegistered


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a cluster."""

    slug: str
    name: str
    country: str
    region: str | None
    founded_on: str | None
    website: str | None
    ecosystems: list[str]
    languages: list[str]
    value_chain_stages: list[str]
    specialisation: str | None
    label: str
    label_valid_until: date | None
    illustrative: list[str]


async def require_right(tx: WriteSession, right: Callable[[UUID, UUID], bool], id: UUID) -> None:
    """Refuse unless `right(cluster, consortium)`; a cluster the caller has no right to is as good as none.

    Raises:
        NotFound
    """
    consortium_id = await tx.scalar(select(Cluster.consortium_id).where(Cluster.id == id))
    if consortium_id is None or not right(id, consortium_id):
        raise NotFound("no-such-cluster", "There is no such cluster.")


async def create_consortium(tx: WriteSession, id: UUID, facts: Mapping[str, Any]) -> Consortium:
    """Add a consortium with these columns.

    Raises:
        Invalid: it ends before it starts.
        Conflict: its slug is taken.
    """
    consortium = Consortium(id=id, **facts)
    if consortium.ends_on < consortium.starts_on:
        raise Invalid("ends-before-start", "A consortium cannot end before it starts.", field="ends_on")
    tx.add(consortium)
    try:
        await tx.flush()
    except IntegrityError as error:
        raise Conflict("slug-taken", f"There is a consortium {consortium.slug!r} already.", field="slug") from error
    return consortium


async def register(tx: WriteSession, id: UUID, consortium_id: UUID, facts: Facts, capacity: tuple[int, int]) -> Cluster:
    """Add a cluster to a consortium; `capacity` is (as mentor, as learner).

    Raises:
        NotFound: no such consortium.
        Conflict: the slug is taken there.
    """
    if await tx.get(Consortium, consortium_id) is None:
        raise NotFound("no-such-consortium", "There is no such consortium.", field="consortium_id")
    mentor, learner = capacity
    cluster = Cluster(
        id=id, consortium_id=consortium_id, mentor_capacity=mentor, learner_capacity=learner, **asdict(facts)
    )
    tx.add(cluster)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = f"The consortium has a cluster {facts.slug!r} already."
        raise Conflict("slug-taken", message, field="slug") from error
    event = ClusterRegistered(**_published(cluster), mentor_capacity=mentor, learner_capacity=learner)
    outbox.append(tx, event, version=cluster.version)
    return cluster


async def change(tx: WriteSession, id: UUID, expected_version: int, facts: Facts) -> Cluster:
    """Replace what is known of a cluster; `expected_version` is the version the caller saw.

    Raises:
        NotFound, Stale, Conflict.
    """
    cluster = await locked(tx, id, expected_version)
    same_label = (cluster.label, cluster.label_valid_until) == (facts.label, facts.label_valid_until)
    cluster.label_expired = cluster.label_expired and same_label
    for name, value in asdict(facts).items():
        setattr(cluster, name, value)
    step(cluster)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = f"The consortium has a cluster {facts.slug!r} already."
        raise Conflict("slug-taken", message, field="slug") from error
    outbox.append(tx, ClusterChanged(**_published(cluster)), version=cluster.version)
    return cluster


async def set_capacity(tx: WriteSession, id: UUID, expected_version: int, mentor: int, learner: int) -> Cluster:
    """Say how many others a cluster can mentor, and learn from, at once.

    Raises:
        NotFound, Stale.
    """
    cluster = await locked(tx, id, expected_version)
    cluster.mentor_capacity, cluster.learner_capacity = mentor, learner
    step(cluster)
    event = CapacityChanged(
        cluster_id=id, consortium_id=cluster.consortium_id, mentor_capacity=mentor, learner_capacity=learner
    )
    outbox.append(tx, event, version=cluster.version)
    return cluster


async def archive(tx: WriteSession, id: UUID, expected_version: int) -> Cluster:
    """Let a cluster leave. What it did stays, and its name stays taken.

    Raises:
        NotFound, Conflict, Stale.
    """
    cluster = await locked(tx, id, expected_version)
    cluster.archived = True
    outbox.append(tx, ClusterArchived(cluster_id=id, consortium_id=cluster.consortium_id), version=step(cluster))
    return cluster


async def locked(tx: WriteSession, id: UUID, expected_version: int | None = None) -> Cluster:
    """The cluster, its row locked until the end of the transaction.

    Raises:
        NotFound: no such cluster.
        Conflict: it has left; nothing about it changes any more.
        Stale: it is not at version `expected_version` any more.
    """
    cluster = await tx.scalar(select(Cluster).where(Cluster.id == id).with_for_update())
    if cluster is None:
        raise NotFound("no-such-cluster", "There is no such cluster.")
    if cluster.archived:
        raise Conflict("archived", "This cluster has left; nothing about it changes any more.")
    if expected_version is not None and cluster.version != expected_version:
        raise Stale(
            "stale", f"The cluster has changed since: it is at version {cluster.version}, not {expected_version}."
        )
    return cluster


def step(cluster: Cluster) -> int:
    """One change more: the version of the event that tells it."""
    cluster.version += 1
    return cluster.version


def _published(cluster: Cluster) -> dict[str, Any]:
    names = ("slug", "name", "country", "region", "ecosystems", "languages", "value_chain_stages", "specialisation")
    more = ("label", "label_valid_until", "illustrative", "consortium_id")
    return {"cluster_id": cluster.id} | {name: getattr(cluster, name) for name in names + more}
