"""What the console reads of the services' answers. Fields it does not show are not named here, and not missed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """Base: unknown fields are ignored, so that a service may be newer than the console."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Consortium(ApiModel):
    """Clusters that learn together for a time."""

    id: UUID
    slug: str
    name: str
    programme: str
    starts_on: date
    ends_on: date
    coordinator_slug: str | None = None


class Cluster(ApiModel):
    """A cluster, with what is known of it."""

    id: UUID
    consortium_id: UUID
    slug: str
    name: str
    country: str
    region: str | None = None
    founded_on: str | None = None
    website: str | None = None
    ecosystems: list[str] = []
    languages: list[str] = []
    value_chain_stages: list[str] = []
    specialisation: str | None = None
    label: str = "none"
    label_valid_until: date | None = None
    label_expired: bool = False
    illustrative: list[str] = []
    mentor_capacity: int = 0
    learner_capacity: int = 0
    archived: bool = False


class Indicator(ApiModel):
    """One thing that a framework measures."""

    code: str
    title: str
    area: str | None = None


class Framework(ApiModel):
    """A scheme to assess clusters by."""

    code: str
    title: str
    scale_max: int
    indicators: list[Indicator]


class IndicatorStatus(ApiModel):
    """Level and target of a cluster in one indicator; either may be unknown."""

    framework: str
    indicator: str
    level: int | None = None
    kind: str | None = None
    assessed_on: date | None = None
    target: int | None = None
    priority: int | None = None
    illustrative: bool = False

    @property
    def gap(self) -> int:
        """Levels that are missing to the target."""
        return max(0, (self.target or 0) - (self.level or 0))


class IndicatorStatusList(ApiModel):
    """All standings of a cluster."""

    items: list[IndicatorStatus]


class ServiceRequest(ApiModel):
    """Help that a cluster asks for."""

    id: UUID
    cluster_id: UUID
    framework: str
    indicator: str
    urgency: int
    text: str = ""
    state: str
    illustrative: bool = False


class Term(ApiModel):
    """One term of a score, with its reason."""

    term: str
    hundredths: int
    reason: str


class Pair(ApiModel):
    """A mentor and a learner, and why."""

    id: UUID
    consortium_id: UUID
    run_id: UUID | None = None
    request_id: UUID | None = None
    mentor_id: UUID
    learner_id: UUID
    score_hundredths: int
    terms: list[Term]
    state: str
    mentor_answer: str | None = None
    learner_answer: str | None = None
    reason: str | None = None
    expires_at: datetime | None = None
    version: int = 1


class TaughtIndicator(ApiModel):
    """An indicator that an activity teaches."""

    framework: str
    indicator: str
    gain: int


class Activity(ApiModel):
    """Something clusters do together."""

    id: UUID
    consortium_id: UUID
    host_cluster_id: UUID
    kind: str
    title: str
    place: str
    starts_on: date
    ends_on: date
    capacity: int
    seats_taken: int = 0
    state: str
    teaches: list[TaughtIndicator] = []
    sector_groups: list[str] = []
    deliverables: list[str] = []
    topics: list[str] = []
    illustrative: list[str] = []


class Registration(ApiModel):
    """Seats that a cluster wants, has or had."""

    id: UUID
    cluster_id: UUID
    seats: int
    state: str
    place_in_queue: int | None = None


class FeedEvent(ApiModel):
    """An event with its place in the feed."""

    position: int
    event: dict[str, Any]


class FeedHead(ApiModel):
    """The newest position of the feed."""

    position: int


class FeedPage(ApiModel):
    """A page of the feed."""

    items: list[FeedEvent]
    next: int
