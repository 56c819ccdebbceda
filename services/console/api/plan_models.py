"""What the console reads of plans, of what-ifs and of explanations. Scores and totals are in hundredths of a point."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from services.console.api.models import Answer, Term


class Cause(Answer):
    """An event that a run follows."""

    type: str
    cluster_id: UUID | None = None


class Draft(Answer):
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


class WholeRun(Answer):
    """A run as the service shows one."""

    run: Draft


class PlannedPair(Answer):
    """A pair of a plan."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    terms: list[Term]
    standing: str


class DroppedPair(Answer):
    """An open proposal that a plan does without."""

    mentor_id: UUID
    learner_id: UUID
    score: int


class Price(Answer):
    """What one more place with a mentor would add."""

    mentor_id: UUID
    places: int
    used: int
    gain: int
    gainer_id: UUID | None = None


class Unmatched(Answer):
    """A learner with a free place that the plan leaves free."""

    learner_id: UUID
    places: int
    used: int
    reason: str
    remedy: str


class Plan(Answer):
    """A whole plan."""

    pairs: list[PlannedPair]
    dropped: list[DroppedPair]
    total: int
    exact: bool
    prices: list[Price]
    unmatched: list[Unmatched]


class Figures(Answer):
    """A plan in a few figures; Gini in thousandths."""

    pairs: int
    served: int
    total: int
    worst: int
    gini: int


class Shift(Answer):
    """What a cluster gains or loses as a learner."""

    cluster_id: UUID
    before: int
    after: int


class Comparison(Answer):
    """Two plans side by side."""

    before: Figures
    after: Figures
    shifts: list[Shift]
    added: list[tuple[UUID, UUID]]
    dropped: list[tuple[UUID, UUID]]


class WhatIf(Answer):
    """What would be, if."""

    id: UUID
    consortium_id: UUID
    name: str
    only_the_plan: bool
    comparison: Comparison
    took_ms: int
    created_at: datetime


class Wished(Answer):
    """A pair that is to be in a plan, or not to be."""

    mentor_id: UUID
    learner_id: UUID


class WhatIfInFull(WhatIf):
    """With what it was planned by."""

    criteria: dict[str, Any]
    forced: list[Wished]
    forbidden: list[Wished]


class CriteriaSchema(Answer):
    """The JSON Schema of criteria."""

    parts: dict[str, Any] = Field(alias="$defs")

    @property
    def weights(self) -> dict[str, int]:
        """What each term counts where a consortium begins."""
        return {name: term["default"] for name, term in self.parts["Weights"]["properties"].items()}


class Alternate(Answer):
    """Another mentor for a learner, and what it would cost the whole plan."""

    mentor_id: UUID
    score: int
    cost: int
    loser_id: UUID | None = None
    reason: str


class Explanation(Answer):
    """A learner's alternates."""

    alternates: list[Alternate]
