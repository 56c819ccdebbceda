"""What the console reads of plans, of what-ifs and of explanations. Scores and totals are in hundredths of a point."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from services.console.api.models import ApiModel, Term


class Cause(ApiModel):
    """An event that a run follows."""

    type: str
    cluster_id: UUID | None = None


class Run(ApiModel):
    """A run, whatever has become of it."""

    id: UUID
    consortium_id: UUID
    created_at: datetime
    state: str
    progress: int
    reason: str | None = None
    total_hundredths: int
    criteria: dict[str, Any]
    took_ms: int | None = None
    causes: list[Cause]
    version: int


class RunDetails(ApiModel):
    """A run as the service shows one."""

    run: Run


class PlannedPair(ApiModel):
    """A pair of a plan."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    terms: list[Term]
    standing: str


class WithdrawnProposal(ApiModel):
    """An open proposal that a plan does without."""

    mentor_id: UUID
    learner_id: UUID
    score: int


class ShadowPrice(ApiModel):
    """What one more place with a mentor would add."""

    mentor_id: UUID
    places: int
    used: int
    gain: int
    gainer_id: UUID | None = None


class UnmatchedLearner(ApiModel):
    """A learner with a free place that the plan leaves free."""

    learner_id: UUID
    places: int
    used: int
    reason: str
    remedy: str


class Plan(ApiModel):
    """A whole plan."""

    pairs: list[PlannedPair]
    dropped: list[WithdrawnProposal]
    total: int
    exact: bool
    prices: list[ShadowPrice]
    unmatched: list[UnmatchedLearner]


class PlanSummary(ApiModel):
    """A plan in a few figures; Gini in thousandths."""

    pairs: int
    served: int
    total: int
    worst: int
    gini: int


class LearnerDelta(ApiModel):
    """What a cluster gains or loses as a learner."""

    cluster_id: UUID
    before: int
    after: int


class Comparison(ApiModel):
    """Two plans side by side."""

    before: PlanSummary
    after: PlanSummary
    shifts: list[LearnerDelta]
    added: list[tuple[UUID, UUID]]
    dropped: list[tuple[UUID, UUID]]


class WhatIf(ApiModel):
    """What would be, if."""

    id: UUID
    consortium_id: UUID
    name: str
    only_the_plan: bool
    comparison: Comparison
    took_ms: int
    created_at: datetime


class PairKey(ApiModel):
    """A pair that is to be in a plan, or not to be."""

    mentor_id: UUID
    learner_id: UUID


class WhatIfDetails(WhatIf):
    """With what it was planned by."""

    criteria: dict[str, Any]
    forced: list[PairKey]
    forbidden: list[PairKey]


class CriteriaSchema(ApiModel):
    """The JSON Schema of criteria."""

    parts: dict[str, Any] = Field(alias="$defs")

    @property
    def weights(self) -> dict[str, int]:
        """What each term counts where a consortium begins."""
        return {name: term["default"] for name, term in self.parts["Weights"]["properties"].items()}


class Alternate(ApiModel):
    """Another mentor for a learner, and what it would cost the whole plan."""

    mentor_id: UUID
    score: int
    cost: int
    loser_id: UUID | None = None
    reason: str


class Explanation(ApiModel):
    """A learner's alternates."""

    alternates: list[Alternate]
