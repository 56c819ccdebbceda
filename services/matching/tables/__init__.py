"""The rows of matching: a projection of other services' events, and what matching itself decides."""

from services.matching.tables.base import Base
from services.matching.tables.known import PROJECTED, Cluster, Gain, Level, Request, Target
from services.matching.tables.plans import AnsweredRequest, CriteriaSet, Pair, Places, ReplanCause, Run, WhatIf

__all__ = [
    "PROJECTED",
    "AnsweredRequest",
    "Base",
    "Cluster",
    "CriteriaSet",
    "Gain",
    "Level",
    "Pair",
    "Places",
    "ReplanCause",
    "Request",
    "Run",
    "Target",
    "WhatIf",
    "metadata",
]

metadata = Base.metadata
