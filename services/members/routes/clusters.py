"""`/clusters`."""

from datetime import date
from uuid import UUID

from fastapi import Response

from services.members.commands import clusters as commands
from services.members.commands.clusters import ClusterFacts, NewCapacity, NewCluster
from services.members.queries import clusters as queries
from shared import clock
from shared.auth import Anyone, Coordinator, Manager, Role
from shared.web import IfMatch, Page, Paging, Read, ResponseModel, Router, Tx, etag

router = Router(prefix="/clusters")


class ClusterView(ResponseModel):
    """A cluster."""

    id: UUID
    consortium_id: UUID
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
    label_expired: bool
    illustrative: list[str]
    mentor_capacity: int
    learner_capacity: int
    archived: bool
    version: int


@router.post("", status_code=201)
async def register_cluster(caller: Coordinator, tx: Tx, body: NewCluster, response: Response) -> ClusterView:
    """Register a cluster in a consortium."""
    caller.enter(body.consortium_id)
    cluster = await commands.register(tx, clock.new_id(), body)
    response.headers["Location"] = f"clusters/{cluster.id}"
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.get("")
async def list_clusters(caller: Anyone, db: Read, paging: Paging) -> Page[ClusterView]:
    """The clusters of the caller's consortium."""
    rows = await queries.clusters(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([ClusterView.model_validate(row) for row in rows], lambda row: (row.name, row.id))


@router.get("/{id}")
async def show_cluster(caller: Anyone, db: Read, id: UUID, response: Response) -> ClusterView:
    """One cluster."""
    cluster = await queries.cluster(db, id, caller.within)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.put("/{id}")
async def change_cluster(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: ClusterFacts, response: Response
) -> ClusterView:
    """Replace what is known of a cluster. Only a coordinator changes its label."""
    await commands.require_permission(tx, caller.speaks_for, id)
    may_label = caller.has(Role.coordinator, Role.operator)
    cluster = await commands.change(tx, id, expected_version, body, may_label=may_label)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.put("/{id}/capacity")
async def set_capacity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewCapacity, response: Response
) -> ClusterView:
    """Set how many clusters the cluster can mentor, and learn from, at the same time."""
    await commands.require_permission(tx, caller.speaks_for, id)
    cluster = await commands.set_capacity(tx, id, expected_version, body)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.post("/{id}/archive")
async def archive_cluster(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ClusterView:
    """Record that a cluster has left the consortium. Its data stays; it cannot be changed any more."""
    await commands.require_permission(tx, caller.speaks_for, id)
    cluster = await commands.archive(tx, id, expected_version)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)
