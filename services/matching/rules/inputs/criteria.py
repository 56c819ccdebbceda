"""The criteria of a plan: weights, exclusion rules, objective and prices, as plain data with a JSON schema."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.matching.rules.inputs.profile import Profile

Points = Annotated[int, Field(ge=0, le=10_000)]
Role = Literal["mentor", "learner"]
Objective = Literal["total", "pairs", "fairest"]


class CriteriaModel(BaseModel):
    """An immutable part of the criteria; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Weights(CriteriaModel):
    """The weight of each term, relative to the others. A score is always out of 100 points."""

    knowledge: Points = Field(4500, description="levels that the learner can gain towards its targets")
    requests: Points = Field(1500, description="open requests of the learner that the mentor can answer")
    ecosystems: Points = Field(900, description="industrial ecosystems in common")
    cross_border: Points = Field(800, description="mentor and learner are in different countries")
    value_chain: Points = Field(500, description="stages of the value chain that only the mentor covers")
    languages: Points = Field(500, description="working languages in common")
    record: Points = Field(500, description="outcomes of the mentor's past mentorships")
    reciprocity: Points = Field(300, description="the learner has given more mentorships than it has taken")
    novelty: Points = Field(300, description="mentor and learner have not been paired before")
    travel: Points = Field(200, description="short distance between the two countries")

    @model_validator(mode="after")
    def _not_all_zero(self) -> Self:
        if not self.total:
            raise ValueError("At least one weight has to be above 0.")
        return self

    @property
    def total(self) -> int:
        """The sum of all weights."""
        return sum(self.model_dump().values())

    def hundredths(self, term: str, part: int, whole: int) -> int:
        """Hundredths of a point of a term that reaches `part` of `whole`, rounded down."""
        return 10_000 * int(getattr(self, term)) * part // (self.total * whole)


class ConflictPair(CriteriaModel):
    """Two clusters with a conflict of interest."""

    mentor_id: UUID
    learner_id: UUID


class Rules(CriteriaModel):
    """Which rules exclude a pair. A rule that is off, or has an empty list, excludes none."""

    language: bool = Field(default=True, description="mentor and learner need a working language in common")
    other_country: bool = Field(default=False, description="mentor and learner have to be in different countries")
    teaches: bool = Field(default=True, description="the mentor has to be above the learner in something it needs")
    label: Literal["none", "bronze", "silver", "gold"] = Field(
        default="none", description="the lowest label that a mentor needs, valid on the day of the plan"
    )
    freeze_days: int = Field(
        default=180, ge=0, le=3650, description="days in which a declined or expired pair is not proposed again"
    )
    conflicts: tuple[ConflictPair, ...] = Field(default=(), description="excluded pairs, in both directions")
    not_as_mentor: tuple[UUID, ...] = Field(default=(), description="clusters that do not consent to mentor")
    not_as_learner: tuple[UUID, ...] = Field(default=(), description="clusters that do not consent to be mentored")


class Record(CriteriaModel):
    """The prior of outcomes: each mentor has `strength` additional mentorships with the outcome `prior`."""

    prior: int = Field(default=60, ge=0, le=100, description="outcome of an average mentorship, out of 100")
    strength: int = Field(default=4, ge=1, le=100, description="number of mentorships that the prior counts for")


class Reserve(CriteriaModel):
    """Slots that are reserved for learners who arrive later."""

    on: bool = False
    arrivals: int | None = Field(
        default=None, ge=0, le=100, description="learners expected in 30 days; by default estimated from 180 days"
    )
    days: int = Field(default=30, ge=1, le=365, description="days ahead for which slots are reserved")


class CapacityLimits(CriteriaModel):
    """Slots of a cluster, where they differ from those that it has set itself, and its minimum loads."""

    mentor: int | None = Field(default=None, ge=0, le=100)
    learner: int | None = Field(default=None, ge=0, le=100)
    mentor_least: int = Field(default=0, ge=0, le=100)
    learner_least: int = Field(default=0, ge=0, le=100)

    @model_validator(mode="after")
    def _minimum_fits(self) -> Self:
        for capacity, minimum in ((self.mentor, self.mentor_least), (self.learner, self.learner_least)):
            if capacity is not None and minimum > capacity:
                raise ValueError("A minimum load is above the number of places.")
        return self

    def capacity(self, role: Role) -> int | None:
        """The number of slots; None if the cluster's own number counts."""
        return self.mentor if role == "mentor" else self.learner

    def minimum(self, role: Role) -> int:
        """The minimum load."""
        return self.mentor_least if role == "mentor" else self.learner_least


DEFAULT_MOVE_PRICE = 500
"""Move price of a replan whose criteria have none, in hundredths of a point."""
DEFAULT_MAX_MOVES = 3
"""Open proposals that a replan may withdraw if its criteria do not limit them."""


class Criteria(CriteriaModel):
    """All criteria of a plan. The defaults are those of a new consortium."""

    weights: Weights = Weights()
    rules: Rules = Rules()
    objective: Objective = Field(
        default="total",
        description="total: the best total; pairs: most pairs, then the best total; fairest: the worst-served first",
    )
    move_price: Points | None = Field(
        default=None,
        description="what a plan must gain for each open proposal that it withdraws; without it all of them stay",
    )
    most_moves: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="how many open proposals a plan may withdraw; the move price is doubled while it withdraws more",
    )
    replan: Literal["publish", "draft", "off"] = Field(
        default="publish",
        description="what happens to plans that events cause, once the consortium has a published plan",
    )
    answer_days: int = Field(default=21, ge=1, le=365, description="days in which a proposal can be answered")
    record: Record = Record()
    reserve: Reserve = Reserve()
    places: dict[UUID, CapacityLimits] = Field(default_factory=dict)

    @property
    def for_replan(self) -> Self:
        """The criteria of a plan that events cause: with a move price and a limit of moves in any case."""
        price = DEFAULT_MOVE_PRICE if self.move_price is None else self.move_price
        limit = DEFAULT_MAX_MOVES if self.most_moves is None else self.most_moves
        return self.model_copy(update={"move_price": price, "most_moves": limit})

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Criteria that were stored as JSON.

        Raises:
            ValueError: the data are not valid criteria.
        """
        return cls.model_validate_json(json.dumps(data))

    @field_validator("places")
    @classmethod
    def _sorted(cls, places: dict[UUID, CapacityLimits]) -> dict[UUID, CapacityLimits]:
        return dict(sorted(places.items()))

    def capacity_of(self, cluster: Profile, role: Role) -> int:
        """The slots of a cluster in a role."""
        limit = self.places.get(cluster.id, _NO_LIMITS).capacity(role)
        if limit is not None:
            return limit
        return cluster.mentor_slots if role == "mentor" else cluster.learner_slots

    def minimum_load_of(self, cluster_id: UUID, role: Role) -> int:
        """The minimum load of a cluster in a role."""
        return self.places.get(cluster_id, _NO_LIMITS).minimum(role)


_NO_LIMITS = CapacityLimits()
