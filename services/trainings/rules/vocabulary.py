"""Kinds of activity, and the states of activities and registrations."""

from enum import StrEnum


class ActivityKind(StrEnum):
    """Kinds of activity."""

    joint_training = "joint_training"
    study_visit = "study_visit"
    peer_review = "peer_review"
    matchmaking = "matchmaking"


class ActivityState(StrEnum):
    """A draft can be changed, a published activity takes registrations, a completed one cannot be changed."""

    draft = "draft"
    published = "published"
    completed = "completed"


class RegistrationState(StrEnum):
    """Confirmed, attended and absent registrations hold their seats."""

    confirmed = "confirmed"
    waitlisted = "waitlisted"
    cancelled = "cancelled"
    attended = "attended"
    absent = "absent"
