"""`/consortia` and `/clusters`."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.members.commands import clusters as commands
from services.members.queries import clusters as queries
from services.members.rules.vocabulary import Country, Ecosystem, Label, Language, Stage
from shared import clock
from shared.auth import Anyone, Coordinator, Manager, Operator
from shared.errors import NotFound
from shared.web import IfMatch, LongText, Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Slug, Tx, etag

router = Router()
Capacity = Annotated[int, Field(ge=0, le=100)]


class NewConsortium(RequestModel):
    """A consortium to be."""

    slug: Slug
    name: Name
    programme: Name
    starts_on: date
    ends_on: date
    coordinator_slug: Slug | None = None


class ConsortiumView(ResponseModel):
    """Clusters that learn together for a time."""

    id: UUID
    slug: str
    name: str
    programme: str
    starts_on: date
    ends_on: date
    coordinator_slug: str | None


class ClusterFacts(RequestModel):
    """What is known of a cluster."""

    slug: Slug
    name: Name
    country: Country
    region: Name | None = None
    founded_on: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")] | None = None
    website: Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(/[!-~]*)?$", max_length=500)] | None = None
    ecosystems: Annotated[list[Ecosystem], Field(max_length=14)]
    languages: Annotated[list[Language], Field(max_length=20)]
    value_chain_stages: Annotated[list[Stage], Field(max_length=7, default_factory=list)]
    specialisation: LongText | None = None
    label: Label = Label.none
    label_valid_until: date | None = None
    illustrative: Annotated[
        list[Slug], Field(max_length=30, default_factory=list, description="fields without a public source")
    ]

    def facts(self) -> commands.Facts:
        """For the command."""
        names = commands.Facts.__dataclass_fields__
        return commands.Facts(**{name: getattr(self, name) for name in names})


class NewCluster(ClusterFacts):
    """A cluster to be registered."""

    consortium_id: UUID
    mentor_capacity: Capacity = 0
    learner_capacity: Capacity = 1


class NewCapacity(RequestModel):
    """How many others a cluster can mentor, and learn from, at once."""

    mentor_capacity: Capacity
    learner_capacity: Capacity


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


@router.post("/consortia", status_code=201)
async def create_consortium(caller: Operator, tx: Tx, body: NewConsortium, response: Response) -> ConsortiumView:
    """Create a consortium."""
    made = await commands.create_consortium(tx, clock.new_id(), body.model_dump())
    response.headers["Location"] = f"consortia/{made.id}"
    return ConsortiumView.model_validate(made)


@router.get("/consortia")
async def list_consortia(caller: Anyone, db: Read, paging: Paging) -> Page[ConsortiumView]:
    """The consortia that the caller belongs to."""
    rows = await queries.consortia(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([ConsortiumView.model_validate(row) for row in rows], lambda row: (row.slug,))


@router.get("/consortia/{id}")
async def show_consortium(caller: Anyone, db: Read, id: UUID) -> ConsortiumView:
    """One consortium."""
    if not caller.within(id):
        raise NotFound("no-such-consortium", "There is no such consortium.")
    return ConsortiumView.model_validate(await queries.consortium(db, id))


@router.post("/clusters", status_code=201)
async def register_cluster(caller: Coordinator, tx: Tx, body: NewCluster, response: Response) -> ClusterView:
    """Register a cluster in a consortium."""
    caller.enter(body.consortium_id)
    capacity = (body.mentor_capacity, body.learner_capacity)
    cluster = await commands.register(tx, clock.new_id(), body.consortium_id, body.facts(), capacity)
    response.headers["Location"] = f"clusters/{cluster.id}"
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.get("/clusters")
async def list_clusters(caller: Anyone, db: Read, paging: Paging) -> Page[ClusterView]:
    """The clusters of the caller's consortium."""
    rows = await queries.clusters(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([ClusterView.model_validate(row) for row in rows], lambda row: (row.name, row.id))


@router.get("/clusters/{id}")
async def show_cluster(caller: Anyone, db: Read, id: UUID, response: Response) -> ClusterView:
    """One cluster."""
    cluster = await queries.cluster(db, id)
    if not caller.within(cluster.consortium_id):
        raise NotFound("no-such-cluster", "There is no such cluster.")
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.put("/clusters/{id}")
async def change_cluster(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: ClusterFacts, response: Response
) -> ClusterView:
    """Replace what is known of a cluster."""
    await commands.require_right(tx, caller.speaks_for, id)
    cluster = await commands.change(tx, id, expected_version, body.facts())
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.put("/clusters/{id}/capacity")
async def set_capacity(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewCapacity, response: Response
) -> ClusterView:
    """Say how many others the cluster can mentor, and learn from, at once."""
    await commands.require_right(tx, caller.speaks_for, id)
    cluster = await commands.set_capacity(tx, id, expected_version, body.mentor_capacity, body.learner_capacity)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)


@router.post("/clusters/{id}/archive")
async def archive_cluster(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> ClusterView:
    """Let a cluster leave the consortium. What it did stays; nothing about it changes any more."""
    await commands.require_right(tx, caller.speaks_for, id)
    cluster = await commands.archive(tx, id, expected_version)
    etag(response, cluster.version)
    return ClusterView.model_validate(cluster)
