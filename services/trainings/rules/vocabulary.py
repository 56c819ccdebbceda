"""The words of trainings: kinds of activity, and the states of activities and registrations."""

from enum import StrEnum


class Kind(StrEnum):
    """What clusters do together."""

    joint_training = "joint_training"
    study_visit = "study_visit"
    peer_review = "peer_review"
    matchmaking = "matchmaking"


class ActivityState(StrEnum):
    """A draft can be changed, a published activity takes registrations, a completed one is history."""

    draft = "draft"
    published = "published"
    completed = "completed"


class RegistrationState(StrEnum):
    """A confirmed registration holds its seats, also when it turns out who came."""

    confirmed = "confirmed"
    waitlisted = "waitlisted"
    cancelled = "cancelled"
    attended = "attended"
    absent = "absent"
