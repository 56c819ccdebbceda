"""What a question is answered with. All scores, totals and prices are in hundredths of a point."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ResultModel(BaseModel):
    """A plain value that is kept as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedTerm(ResultModel):
    """What one term gives to a score, and why; `known` is false where there is no data, so that it counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class PlannedPair(ResultModel):
    """A pair of the plan. It was `kept` or `proposed` before, or is `new`."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    terms: tuple[PlannedTerm, ...]
    standing: Literal["kept", "proposed", "new"]
    forced: bool = False


class WithdrawnProposal(ResultModel):
    """An open proposal that the plan does without; one that is not `possible` any more no plan could keep."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    possible: bool = True


class ShadowPrice(ResultModel):
    """What one more place with a mentor would add to the plan, and which learner's score would grow most by it."""

    mentor_id: UUID
    places: int
    used: int
    gain: int
    more_pairs: int
    gainer_id: UUID | None


class Unmatched(ResultModel):
    """A learner with a free place that the plan leaves free, why, and the smallest change that would fill it."""

    learner_id: UUID
    places: int
    used: int
    cause: Literal["rules", "no-places", "competition", "nothing-to-learn"]
    reason: str
    remedy: str


class Certificate(ResultModel):
    """The proof that no plan is better: places' prices, by which every plan's worth is at most `bound`.

    Worth is what the objective adds up, `worth` that of this plan; equal to `bound` if the plan is the best. Prices are
    in the order of the question's clusters.
    """

    worth: int
    bound: int
    mentor_prices: tuple[int, ...]
    learner_prices: tuple[int, ...]


class Infeasibility(ResultModel):
    """What was asked for and cannot be: minimum loads or forced pairs, and the fewest causes that explain it."""

    wanted: str
    clusters: tuple[UUID, ...]
    reason: str


class Plan(ResultModel):
    """The answer: pairs, what they add up to, how sure that is, what places are worth, and who is left out and why.

    `total` counts kept, proposed and new pairs. `cut` is the most that leaving out unlikely pairs can have cost; None
    where there is no bound. `move_price` is what it had to gain for each open proposal that it dropped.
    """

    pairs: tuple[PlannedPair, ...]
    dropped: tuple[WithdrawnProposal, ...]
    total: int
    exact: bool
    optimality_gap: int | None
    certificates: tuple[Certificate, ...]
    prices: tuple[ShadowPrice, ...]
    unmatched: tuple[Unmatched, ...]
    shortfalls: tuple[Infeasibility, ...]
    solver: str
    move_price: int | None = None


class PlanSummary(ResultModel):
    """A plan in a few figures; Gini over the learners' sums, in thousandths: 0 is all the same."""

    pairs: int
    served: int
    total: int
    worst: int
    gini: int


class LearnerDelta(ResultModel):
    """What a cluster gains or loses as a learner."""

    cluster_id: UUID
    before: int
    after: int


class Comparison(ResultModel):
    """Two plans side by side."""

    before: PlanSummary
    after: PlanSummary
    shifts: tuple[LearnerDelta, ...]
    added: tuple[tuple[UUID, UUID], ...]
    dropped: tuple[tuple[UUID, UUID], ...]


class Alternate(ResultModel):
    """Another mentor for a learner, and what it would cost the whole plan; `loser_id` gives up most."""

    mentor_id: UUID
    score: int
    cost: int
    fewer_pairs: int
    loser_id: UUID | None
    reason: str


class Counterfactual(ResultModel):
    """What it would take for a pair to be in the plan, and what forcing it would cost."""

    mentor_id: UUID
    learner_id: UUID
    possible: bool
    score: int
    missing: int
    cost: int
    fewer_pairs: int
    losers: tuple[LearnerDelta, ...]
    reason: str


class Explanation(ResultModel):
    """Of a learner in a plan: its pairs are the plan's, its alternates the best three others."""

    learner_id: UUID
    alternates: tuple[Alternate, ...]
    counterfactual: Counterfactual | None = None
