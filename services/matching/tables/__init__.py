"""The rows of matching: a projection of other services' events, and what matching itself decides."""

from services.matching.tables.base import Base
from services.matching.tables.mentorships import CheckIn, Goal, Meeting, MeetingOf, Mentorship, Survey
from services.matching.tables.plans import AnsweredRequest, CriteriaSet, Pair, Places, ReplanCause, Run, WhatIf
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
    "AnsweredRequest",
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
    "MeetingOf",
    "Mentorship",
    "Pair",
    "Places",
    "ReplanCause",
    "Request",
    "Run",
    "Survey",
    "Target",
    "WhatIf",
    "metadata",
]

metadata = Base.metadata
