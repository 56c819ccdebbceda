"""The results of planning. All scores, totals and prices are in hundredths of a point."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ResultModel(BaseModel):
    """An immutable result that is stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedTerm(ResultModel):
    """One term of a score with its reason; `known` is false without data, and the term counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class PlannedPair(ResultModel):
    """A pair of the plan: accepted before (`kept`), `proposed` before, or `new`."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    terms: tuple[PlannedTerm, ...]
    standing: Literal["kept", "proposed", "new"]
    forced: bool = False


class WithdrawnProposal(ResultModel):
    """An open proposal that is not in the plan; `possible` is false if no plan could contain it any more."""

    mentor_id: UUID
    learner_id: UUID
    score: int
    possible: bool = True


class ShadowPrice(ResultModel):
    """What one more slot of a mentor would add to the plan, and the learner that would gain most."""

    mentor_id: UUID
    places: int
    used: int
    gain: int
    more_pairs: int
    gainer_id: UUID | None


class Unmatched(ResultModel):
    """A learner with a free slot and no mentor, the reason, and the smallest change that would give it one."""

    learner_id: UUID
    places: int
    used: int
    cause: Literal["rules", "no-places", "competition", "nothing-to-learn"]
    reason: str
    remedy: str


class Certificate(ResultModel):
    """The proof that no plan is better: dual prices of all slots prove that no plan has a value above `bound`.

    The value of a plan is the sum that the objective maximises. `worth` is the value of this plan; it equals `bound` if
    the plan is optimal. Prices are in the order of the plan input's clusters.
    """

    worth: int
    bound: int
    mentor_prices: tuple[int, ...]
    learner_prices: tuple[int, ...]


class Infeasibility(ResultModel):
    """A minimum load that no plan can meet, and the smallest set of clusters that explains it."""

    wanted: str
    clusters: tuple[UUID, ...]
    reason: str


class Plan(ResultModel):
    """A plan: its pairs, certificates, shadow prices, unmatched learners and infeasible minimum loads.

    `total` counts accepted, proposed and new pairs. `optimality_gap` is an upper bound of what unexamined pairs could
    add; None if there is no bound. `move_price` is what the plan had to gain for each open proposal that it withdraws.
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
    """A plan in figures. `gini` is the Gini coefficient of the learners' sums in thousandths; 0 if all are equal."""

    pairs: int
    served: int
    total: int
    worst: int
    gini: int


class LearnerDelta(ResultModel):
    """The sum of a learner's scores in two plans."""

    cluster_id: UUID
    before: int
    after: int


class Comparison(ResultModel):
    """The differences between two plans."""

    before: PlanSummary
    after: PlanSummary
    shifts: tuple[LearnerDelta, ...]
    added: tuple[tuple[UUID, UUID], ...]
    dropped: tuple[tuple[UUID, UUID], ...]


class Alternate(ResultModel):
    """Another mentor for a learner, what it would cost the whole plan, and the learner that would lose most."""

    mentor_id: UUID
    score: int
    cost: int
    fewer_pairs: int
    loser_id: UUID | None
    reason: str


class Counterfactual(ResultModel):
    """What a pair lacks to be in the plan (`missing`), and what forcing it would cost."""

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
    """The three best alternates of a learner in a plan, and the counterfactual of one pair, if asked for."""

    learner_id: UUID
    alternates: tuple[Alternate, ...]
    counterfactual: Counterfactual | None = None
