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
    """A part of a story: unknown fields are refused, and no value is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Consortium(FilePart):
    """The body of `POST /consortia`."""

    slug: Slug
    name: Name
    programme: Name
    starts_on: Day
    ends_on: Day
    coordinator_slug: Slug | None = None


class Indicator(FilePart):
    """An indicator of a framework."""

    code: Slug
    title: Name
    area: Name | None = None


class Framework(FilePart):
    """The body of `POST /frameworks`."""

    code: Slug
    title: Name
    scale_max: Annotated[int, Field(ge=1, le=100)]
    indicators: Annotated[list[Indicator], Field(min_length=1, max_length=100)]


class Assessment(FilePart):
    """The body of `POST /clusters/{id}/assessments`."""

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
    """The body of `POST /clusters`, with the cluster's assessment and targets."""

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
        """The body of `POST /clusters`, without the consortium."""
        return self.model_dump(mode="json", exclude={"assessment", "targets"})


class TrainedIndicator(FilePart):
    """An indicator that an activity teaches."""

    framework: Slug
    indicator: Slug
    gain: Annotated[int, Field(ge=0, le=100)]


class FileRegistration(FilePart):
    """A cluster's seats. All registered clusters attend a completed activity, except those marked `absent`."""

    cluster: Slug
    seats: Annotated[int, Field(ge=1, le=20)]
    absent: bool = False


class Activity(FilePart):
    """The body of `POST /activities`, with the registrations in order and whether the activity took place."""

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
        """The body of `POST /activities`, without host and consortium."""
        return self.model_dump(mode="json", exclude={"ref", "host", "registrations", "completed"})


class FileRequest(FilePart):
    """The body of `POST /clusters/{id}/requests`."""

    cluster: Slug
    framework: Slug
    indicator: Slug
    urgency: OneToFive
    text: Annotated[str, Field(max_length=2000)] = ""
    illustrative: bool = False


class ProposalReply(FilePart):
    """The reply to the best open proposal of a learner: both sides accept it, or the learner declines."""

    learner: Slug
    answer: Literal["accept", "decline"]


class FileMentorship(FilePart):
    """The course of a learner's first mentorship: both sides confirm it, and the rest happens on the same day.

    If `completed`, `scores` are those of an assessment after its end, in the framework of the cluster's assessment.
    """

    learner: Slug
    meetings: list[Annotated[int, Field(ge=1, le=1440)]] = []
    check_ins: dict[Literal["mentor", "learner"], OneToFive] = {}
    reached: dict[Slug, Level] = {}
    completed: bool = False
    scores: dict[Slug, Level] = {}


class SampleData(FilePart):
    """A consortium and its history, in this order."""

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
