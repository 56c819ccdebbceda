"""The format of a story file."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.dates import Day, PartialDay

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
OneToFive = Annotated[int, Field(ge=1, le=5)]
Level = Annotated[int, Field(ge=0, le=100)]
Capacity = Annotated[int, Field(ge=0, le=100)]
FoundingDay = Annotated[
    PartialDay, BeforeValidator(lambda value: value.isoformat() if isinstance(value, date) else value)
]
"""YAML reads a whole day as a date, and a month as text."""


class FilePart(BaseModel):
    """What all parts of a story have in common: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Consortium(FilePart):
    """As `POST /consortia` takes it."""

    slug: Slug
    name: Name
    programme: Name
    starts_on: Day
    ends_on: Day
    coordinator_slug: Slug | None = None


class Indicator(FilePart):
    """One thing that a framework measures."""

    code: Slug
    title: Name
    area: Name | None = None


class Framework(FilePart):
    """As `POST /frameworks` takes it."""

    code: Slug
    title: Name
    scale_max: Annotated[int, Field(ge=1, le=100)]
    indicators: Annotated[list[Indicator], Field(min_length=1, max_length=100)]


class Assessment(FilePart):
    """As `POST /clusters/{id}/assessments` takes it."""

    framework: Slug
    kind: Literal["expert", "peer", "self"]
    assessed_on: Day
    valid_until: Day
    scores: Annotated[dict[Slug, Level], Field(min_length=1)]
    illustrative: bool = False


class FileTarget(FilePart):
    """The level to reach in an indicator of the assessment's framework."""

    level: Level
    priority: OneToFive
    illustrative: bool = True


class Cluster(FilePart):
    """As `POST /clusters` takes it, with its assessment and targets."""

    slug: Slug
    name: Name
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    region: Name | None = None
    founded_on: FoundingDay | None = None
    website: str | None = None
    ecosystems: list[Slug]
    languages: list[Annotated[str, Field(pattern="^[a-z]{2}$")]]
    value_chain_stages: list[Slug] = []
    specialisation: str | None = None
    label: Literal["none", "bronze", "silver", "gold"] = "none"
    label_valid_until: Day | None = None
    mentor_capacity: Capacity = 0
    learner_capacity: Capacity = 1
    illustrative: list[Slug] = []
    assessment: Assessment | None = None
    targets: dict[Slug, FileTarget] = {}

    def registration(self) -> dict[str, Any]:
        """The body of `POST /clusters`, but for the consortium."""
        return self.model_dump(mode="json", exclude={"assessment", "targets"})


class TrainedIndicator(FilePart):
    """An indicator that an activity teaches."""

    framework: Slug
    indicator: Slug
    gain: Annotated[int, Field(ge=0, le=100)]


class FileRegistration(FilePart):
    """Seats for a cluster. Where the activity is completed, whoever had a seat was present, unless `absent`."""

    cluster: Slug
    seats: Annotated[int, Field(ge=1, le=20)]
    absent: bool = False


class Activity(FilePart):
    """As `POST /activities` takes it, with registrations in their order and whether it took place."""

    ref: Slug
    kind: Literal["joint_training", "study_visit", "peer_review", "matchmaking"]
    title: Name
    host: Slug
    place: Name
    starts_on: Day
    ends_on: Day
    capacity: Annotated[int, Field(ge=1, le=10000)]
    topics: list[Name] = []
    sector_groups: list[Name] = []
    deliverables: list[Name] = []
    teaches: list[TrainedIndicator] = []
    illustrative: list[Slug] = []
    registrations: list[FileRegistration] = []
    completed: bool = False

    def draft(self) -> dict[str, Any]:
        """The body of `POST /activities`, but for host and consortium."""
        return self.model_dump(mode="json", exclude={"ref", "host", "registrations", "completed"})


class FileRequest(FilePart):
    """As `POST /clusters/{id}/requests` takes it."""

    cluster: Slug
    framework: Slug
    indicator: Slug
    urgency: OneToFive
    text: Annotated[str, Field(max_length=2000)] = ""
    illustrative: bool = False


class ProposalReply(FilePart):
    """What becomes of the best open proposal of a learner: both sides accept it, or the learner declines."""

    learner: Slug
    answer: Literal["accept", "decline"]


class FileMentorship(FilePart):
    """What becomes of a learner's first mentorship: both sides confirm it, and what follows happens on that day.

    Where it is `completed`, `scores` are those of an assessment after its end, in the framework of the cluster's own.
    """

    learner: Slug
    meetings: list[Annotated[int, Field(ge=1, le=1440)]] = []
    check_ins: dict[Literal["mentor", "learner"], OneToFive] = {}
    reached: dict[Slug, Level] = {}
    completed: bool = False
    scores: dict[Slug, Level] = {}


class SampleData(FilePart):
    """A consortium and what happens in it, in this order."""

    story: Slug
    consortium: Consortium
    frameworks: list[Slug | Framework] = []
    clusters: Annotated[list[Cluster], Field(min_length=1)]
    activities: list[Activity] = []
    requests: list[FileRequest] = []
    answers_to_requests: list[ProposalReply] = []
    plan: Literal["publish", "draft"] | None = None
    answers_to_plan: list[ProposalReply] = []
    mentorships: list[FileMentorship] = []
