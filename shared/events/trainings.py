"""Events of trainings: activities, registrations and gains. The key is always the activity."""

from uuid import UUID

from pydantic import Field

from shared.dates import Day
from shared.events.registry import Data, event


class TaughtIndicator(Data):
    """An indicator that an activity teaches, with the gain it promises."""

    framework: str
    indicator: str
    gain: int = Field(description="levels on the framework's scale")


@event("kei.trainings.training.published.v1", key="activity_id", public=True)
class TrainingPublished(Data):
    """An activity is open for registration."""

    activity_id: UUID
    consortium_id: UUID
    kind: str = Field(description="joint_training, study_visit, peer_review or matchmaking")
    title: str
    host_cluster_id: UUID
    place: str
    starts_on: Day
    ends_on: Day
    capacity: int = Field(description="seats")
    teaches: list[TaughtIndicator]
    sector_groups: list[str] = Field(default_factory=list)
    illustrative: list[str] = Field(default_factory=list, description="names of fields without a public source")


@event("kei.trainings.registration.confirmed.v1", key="activity_id", public=True)
class RegistrationConfirmed(Data):
    """A cluster has its seats."""

    activity_id: UUID
    consortium_id: UUID
    registration_id: UUID
    cluster_id: UUID
    seats: int


@event("kei.trainings.registration.waitlisted.v1", key="activity_id", public=True)
class RegistrationWaitlisted(Data):
    """A cluster waits for its seats: first come, first served."""

    activity_id: UUID
    consortium_id: UUID
    registration_id: UUID
    cluster_id: UUID
    seats: int
    place_in_queue: int = Field(description="1 is next")


class ClusterGain(Data):
    """What one cluster gained in one indicator. It is provisional until an assessment confirms it."""

    cluster_id: UUID
    framework: str
    indicator: str
    gain: int = Field(description="levels on the framework's scale")


@event("kei.trainings.training.completed.v1", key="activity_id", public=True)
class TrainingCompleted(Data):
    """An activity took place; `gains` lists every cluster that was there and every indicator it gained in."""

    activity_id: UUID
    consortium_id: UUID
    kind: str
    host_cluster_id: UUID
    ended_on: Day
    attended: list[UUID]
    gains: list[ClusterGain]
    illustrative: list[str] = Field(default_factory=list)
