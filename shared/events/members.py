"""Events of members: clusters, their levels, targets and requests. The key is always the cluster."""

from uuid import UUID

from pydantic import Field

from shared.dates import Day
from shared.events.registry import Data, event


class ClusterFacts(Data):
    """What is known of a cluster."""

    cluster_id: UUID
    consortium_id: UUID
    slug: str = Field(description="short name in addresses, unique in the consortium", examples=["innoskart"])
    name: str
    country: str = Field(description="ISO 3166-1 alpha-2", examples=["HU"])
    region: str | None = Field(default=None, description="where in the country, in words")
    ecosystems: list[str] = Field(description="industrial ecosystems of the Commission, as slugs")
    languages: list[str] = Field(description="ISO 639-1, what the team works in")
    value_chain_stages: list[str] = Field(description="where the member firms stand in their value chain")
    specialisation: str | None = None
    label: str = Field(description="none, bronze, silver or gold")
    label_valid_until: Day | None = None
    illustrative: list[str] = Field(default_factory=list, description="names of fields without a public source")


@event("kei.members.cluster.registered.v1", key="cluster_id", public=True)
class ClusterRegistered(ClusterFacts):
    """A cluster joined a consortium."""

    mentor_capacity: int = Field(description="learners it can mentor at once")
    learner_capacity: int = Field(description="mentors it can learn from at once")


@event("kei.members.cluster.changed.v1", key="cluster_id", public=True)
class ClusterChanged(ClusterFacts):
    """Facts about a cluster changed; all of them are given again."""


@event("kei.members.cluster.archived.v1", key="cluster_id", public=True)
class ClusterArchived(Data):
    """A cluster left its consortium; what it did there stays."""

    cluster_id: UUID
    consortium_id: UUID


@event("kei.members.capacity.changed.v1", key="cluster_id", public=True)
class CapacityChanged(Data):
    """A cluster can mentor, or learn from, more or fewer others than before."""

    cluster_id: UUID
    consortium_id: UUID
    mentor_capacity: int
    learner_capacity: int


@event("kei.members.label.expired.v1", key="cluster_id", public=True)
class LabelExpired(Data):
    """A cluster's label for excellence is not valid any more."""

    cluster_id: UUID
    consortium_id: UUID
    label: str = Field(description="bronze, silver or gold")
    label_valid_until: Day = Field(description="its last day")


class IndicatorLevel(Data):
    """The current level of a cluster in one indicator, and where it comes from."""

    indicator: str
    level: int = Field(description="on the framework's scale, from 0")
    kind: str = Field(description="of the assessment that says so: expert, peer or self")
    assessed_on: Day


@event("kei.members.assessment.recorded.v1", key="cluster_id", public=False)
class AssessmentRecorded(Data):
    """A cluster was assessed.

    `levels` are the current levels of the assessed indicators, this assessment counted in.
    """

    cluster_id: UUID
    consortium_id: UUID
    assessment_id: UUID
    framework: str
    kind: str
    assessed_on: Day
    valid_until: Day
    scale_max: int = Field(description="the highest level of the framework's scale, which begins at 0")
    scores: dict[str, int]
    levels: list[IndicatorLevel]
    illustrative: bool = False


@event("kei.members.target.set.v1", key="cluster_id", public=False)
class TargetSet(Data):
    """A cluster decided which level it wants to reach in an indicator, and how much that matters to it."""

    cluster_id: UUID
    consortium_id: UUID
    framework: str
    indicator: str
    level: int
    priority: int = Field(description="1 (would be nice) to 5 (vital)")
    illustrative: bool = False


@event("kei.members.service.requested.v1", key="cluster_id", public=True)
class ServiceRequested(Data):
    """A cluster asks for help in one indicator."""

    cluster_id: UUID
    consortium_id: UUID
    request_id: UUID
    framework: str
    indicator: str
    urgency: int = Field(description="1 (some day) to 5 (at once)")
    illustrative: bool = False
