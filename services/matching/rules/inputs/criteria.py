"""By what a plan is made: weights, hard rules, objective and prices, as plain data with a schema for people."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.matching.rules.inputs.profile import Profile

Points = Annotated[int, Field(ge=0, le=10_000)]
Side = Literal["mentor", "learner"]
Objective = Literal["total", "pairs", "fairest"]


class Value(BaseModel):
    """A plain value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Weights(Value):
    """What each term counts, in comparison with the others. A score is always out of 100 points."""

    knowledge: Points = Field(4500, description="what the learner can gain over its targets")
    requests: Points = Field(1500, description="the learner's open requests that the mentor can answer")
    ecosystems: Points = Field(900, description="industrial ecosystems in common")
    cross_border: Points = Field(800, description="the pair joins two countries")
    value_chain: Points = Field(500, description="the mentor covers stages of the value chain that the learner lacks")
    languages: Points = Field(500, description="working languages in common")
    record: Points = Field(500, description="how the mentor's past mentorships ended")
    reciprocity: Points = Field(300, description="the learner has given more than it took")
    novelty: Points = Field(300, description="the two have not been paired before")
    travel: Points = Field(200, description="how near the two are")

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if not self.whole:
            raise ValueError("At least one weight has to be above 0.")
        return self

    @property
    def whole(self) -> int:
        """All weights together."""
        return sum(self.model_dump().values())

    def hundredths(self, term: str, part: int, whole: int) -> int:
        """What a term gives to a score that reaches `part` of `whole` in it, in hundredths of a point, rounded down."""
        return 10_000 * int(getattr(self, term)) * part // (self.whole * whole)


class Pair(Value):
    """Two clusters."""

    mentor_id: UUID
    learner_id: UUID


class Rules(Value):
    """What excludes a pair. A rule that is off, or has nobody listed, excludes nobody."""

    language: bool = Field(default=True, description="they need a working language in common")
    other_country: bool = Field(default=False, description="they have to be in different countries")
    teaches: bool = Field(default=True, description="the mentor stands above the learner in something it needs")
    label: Literal["none", "bronze", "silver", "gold"] = Field(
        default="none", description="the label a mentor has to have, valid on the day"
    )
    freeze_days: int = Field(default=180, ge=0, le=3650, description="a pair that said no is not proposed for so long")
    conflicts: tuple[Pair, ...] = Field(default=(), description="pairs that may not be, whoever is the mentor")
    not_as_mentor: tuple[UUID, ...] = Field(default=(), description="clusters that do not consent to mentor")
    not_as_learner: tuple[UUID, ...] = Field(default=(), description="clusters that do not consent to be mentored")


class Record(Value):
    """How past outcomes are read: as if each mentor had `strength` more mentorships that ended with `prior`."""

    prior: int = Field(
        default=60, ge=0, le=100, description="outcome out of 100 that is assumed of nobody in particular"
    )
    strength: int = Field(default=4, ge=1, le=100, description="for how many mentorships that assumption counts")


class Reserve(Value):
    """Places that are kept for later arrivals."""

    on: bool = False
    arrivals: int | None = Field(
        default=None, ge=0, le=100, description="learners expected in 30 days; left out: as the last half year says"
    )
    days: int = Field(default=30, ge=1, le=365, description="how far is looked ahead")


class Places(Value):
    """A cluster's places, where they are to be others than it says itself, and its minimum loads."""

    mentor: int | None = Field(default=None, ge=0, le=100)
    learner: int | None = Field(default=None, ge=0, le=100)
    mentor_least: int = Field(default=0, ge=0, le=100)
    learner_least: int = Field(default=0, ge=0, le=100)

    @model_validator(mode="after")
    def _least_fits(self) -> Self:
        for most, least in ((self.mentor, self.mentor_least), (self.learner, self.learner_least)):
            if most is not None and least > most:
                raise ValueError("A minimum load is above the places there are.")
        return self


MOVE_PRICE = 500
"""What a plan of events has to gain for each open proposal that it drops, where the criteria name no price."""
MOST_MOVES = 3
"""How many it may drop, where the criteria do not say."""


class Criteria(Value):
    """All of it. The defaults are what a consortium begins with."""

    weights: Weights = Weights()
    rules: Rules = Rules()
    objective: Objective = Field(
        default="total",
        description="total: the best total; pairs: most pairs, then the best total; fairest: the worst-served first",
    )
    move_price: Points | None = Field(
        default=None,
        description="what a plan must gain for each open proposal that it drops; without it all of them stay",
    )
    most_moves: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="how many open proposals a plan may drop: to drop fewer, its price of a move is doubled",
    )
    replan: Literal["publish", "draft", "off"] = Field(
        default="publish",
        description="what happens to the plan that is made when events change supply or need, once one was published",
    )
    answer_days: int = Field(default=21, ge=1, le=365, description="for how long a proposal can be answered")
    record: Record = Record()
    reserve: Reserve = Reserve()
    places: dict[UUID, Places] = Field(default_factory=dict)

    @property
    def gentle(self) -> Self:
        """For a plan that nobody asked for: where these do not say how many open proposals it may drop, it is few."""
        price = MOVE_PRICE if self.move_price is None else self.move_price
        most = MOST_MOVES if self.most_moves is None else self.most_moves
        return self.model_copy(update={"move_price": price, "most_moves": most})

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Criteria that were kept as JSON.

        Raises:
            ValueError: they are none.
        """
        return cls.model_validate_json(json.dumps(kept))

    @field_validator("places")
    @classmethod
    def _in_order(cls, places: dict[UUID, Places]) -> dict[UUID, Places]:
        return dict(sorted(places.items()))

    def places_of(self, cluster: Profile, side: Side) -> int:
        """How many others a cluster takes on a side."""
        said = getattr(self.places.get(cluster.id, _NONE), side)
        return int(getattr(cluster, f"{side}_places") if said is None else said)

    def least_of(self, cluster_id: UUID, side: Side) -> int:
        """How many it should have at least."""
        return int(getattr(self.places.get(cluster_id, _NONE), f"{side}_least"))


_NONE = Places()
