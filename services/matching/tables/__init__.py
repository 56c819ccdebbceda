"""The tables of matching: the projection of other services' events, and what matching itself decides."""

from services.matching.tables.base import Base
from services.matching.tables.mentorships import CheckIn, Goal, Meeting, MeetingMentorship, Mentorship, Survey
from services.matching.tables.plans import CriteriaSet, Pair, ReplanCause, ResolvedRequest, Run, Slots, WhatIf
from services.matching.tables.projection import (
    PROJECTED,
    Activity,
    Archived,
    Cluster,
    Gain,
    Level,
    Measurement,
    Request,
    Target,
)

__all__ = [
    "PROJECTED",
    "Activity",
    "Archived",
    "Base",
    "CheckIn",
    "Cluster",
    "CriteriaSet",
    "Gain",
    "Goal",
    "Level",
    "Measurement",
    "Meeting",
    "MeetingMentorship",
    "Mentorship",
    "Pair",
    "ReplanCause",
    "Request",
    "ResolvedRequest",
    "Run",
    "Slots",
    "Survey",
    "Target",
    "WhatIf",
    "metadata",
]

metadata = Base.metadata
