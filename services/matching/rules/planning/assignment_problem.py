"""A plan input as an assignment problem: the pairs that the solver decides on, and those that are decided already.

Clusters are numbered in the order of the plan input, which is that of their ids. In a large consortium the problem
starts with the best candidates of each learner, and pairs with a positive reduced value are added until there are none
left (column generation).
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Int32Array, Problem, Solved
from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.planning.reserve import reserve_prices
from services.matching.rules.scoring.candidates import CandidatePairs, candidate_pairs
from services.matching.rules.scoring.features import ClusterFeatures, features_of

CANDIDATES_PER_LEARNER = 50
"""Mentors for each learner with which the problem of a large consortium starts."""
MAX_FULL_PAIRS = 2_000_000
"""Up to this number of pairs the problem has all of them from the start."""
PRICING_MARGIN = 200
"""Pairs whose reduced value is negative by less than this many hundredths are added too, since prices change."""
BATCH_LEARNERS = 256
"""Learners whose pairs are examined together."""


class AssignmentProblem(NamedTuple):
    """The open pairs and the decided ones.

    Attributes:
        features: of the clusters.
        cluster_ids: by cluster number.
        network: the open pairs as arcs, with the slots that decided pairs leave. The value of an arc is its score less
            the reserve price of the mentor, plus the move price if it is an open proposal.
        score: of each arc.
        decided: the fixed and the forced pairs; their slots are taken already.
        is_proposal: of each arc, whether it is an open proposal.
        reserve_price: of a slot of each mentor, by cluster number.
        best_unexamined: of each learner, by cluster number: the best score among its pairs that are not examined.
        closed_pairs: keys of the pairs that may not become arcs.
        open_proposals: keys of the open proposals.
        move_price: what the plan has to gain for each open proposal that it withdraws.
    """

    features: ClusterFeatures
    cluster_ids: tuple[UUID, ...]
    network: Problem
    score: NDArray[np.int64]
    decided: tuple[PairKey, ...]
    is_proposal: NDArray[np.bool_]
    reserve_price: NDArray[np.int64]
    best_unexamined: NDArray[np.int64]
    closed_pairs: NDArray[np.int64]
    open_proposals: NDArray[np.int64]
    move_price: int

    def pair_key(self, arc: int) -> PairKey:
        """The clusters of an arc."""
        return PairKey(self.cluster_ids[self.network.mentor[arc]], self.cluster_ids[self.network.learner[arc]])

    @property
    def decided_here(self) -> list[PairKey]:
        """The decided pairs whose clusters are both in the plan input."""
        return [pair for pair in self.decided if set(pair) <= self.features.index.keys()]

    def arc(self, pair: PairKey) -> int | None:
        """The arc of two clusters; None if their pair is not open."""
        mentor, learner = self.features.index[pair.mentor_id], self.features.index[pair.learner_id]
        arcs = np.flatnonzero((self.network.mentor == mentor) & (self.network.learner == learner)).tolist()
        return arcs[0] if arcs else None


def assignment_problem(plan_input: PlanInput) -> AssignmentProblem:
    """The assignment problem of a plan input."""
    ids = tuple(cluster.id for cluster in plan_input.clusters)
    index = {id: number for number, id in enumerate(ids)}
    decided = tuple(sorted({*plan_input.fixed_pairs, *plan_input.forced}))
    mentors, learners = _free_slots(plan_input, "mentor", decided), _free_slots(plan_input, "learner", decided)
    minimums = _minimum(plan_input, "mentor", decided, mentors), _minimum(plan_input, "learner", decided, learners)
    price = plan_input.criteria.move_price
    staying = plan_input.open_proposals if price is None else ()
    none = np.zeros(0, dtype=np.int64)
    problem = AssignmentProblem(
        features=features_of(plan_input),
        cluster_ids=ids,
        network=Problem(none.astype(np.int32), none.astype(np.int32), none, mentors, learners, *minimums),
        score=none,
        decided=decided,
        is_proposal=none.astype(np.bool_),
        reserve_price=np.zeros(len(ids), dtype=np.int64),
        best_unexamined=none,
        closed_pairs=_keys({*decided, *plan_input.request_proposals, *plan_input.forbidden, *staying}, index),
        open_proposals=_keys(plan_input.open_proposals, index),
        move_price=price or 0,
    )
    limit = CANDIDATES_PER_LEARNER if len(ids) ** 2 > MAX_FULL_PAIRS else None
    candidates = candidate_pairs(problem.features, limit, mentors=mentors > 0)
    problem = _with_pairs(problem, candidates)._replace(best_unexamined=candidates.best_unexamined)
    if candidates.best_unexamined.any():
        proposal_learners = problem.open_proposals % max(len(ids), 1)
        problem = _with_pairs(problem, _unexamined(problem, proposal_learners, _is_proposal))
    return _with_values(problem._replace(reserve_price=reserve_prices(plan_input, problem.network, candidates)))


def with_priced_out_pairs(problem: AssignmentProblem, solved: Solved) -> AssignmentProblem | None:
    """The problem with the unexamined pairs that have a positive reduced value at the prices of its solution.

    Returns:
        None if there are none: then the certificate holds for all pairs, and the plan is the best of all.
    """
    network = problem.network
    prices = solved.mentor_price[network.mentor_slots > 0]
    if not len(prices):
        return None
    highest = problem.best_unexamined + _pair_bonus(problem, solved) - solved.learner_price - prices.min()
    learners = np.flatnonzero((network.learner_slots > 0) & (problem.best_unexamined > 0) & (highest > 0))
    more = _unexamined(
        problem, learners, lambda problem, pairs: _reduced_value(problem, solved, pairs) > -PRICING_MARGIN
    )
    return _with_pairs(problem, more) if (_reduced_value(problem, solved, more) > 0).any() else None


def _pair_bonus(problem: AssignmentProblem, solved: Solved) -> int:
    """What the objective adds to the value of every pair."""
    return int((solved.problem.value - problem.network.value).max(initial=0))


def _reduced_value(problem: AssignmentProblem, solved: Solved, pairs: CandidatePairs) -> NDArray[np.int64]:
    """The value of pairs less the prices of their two slots."""
    prices = solved.mentor_price[pairs.mentor] + solved.learner_price[pairs.learner]
    return np.asarray(pairs.score + _pair_bonus(problem, solved) - problem.reserve_price[pairs.mentor] - prices)


def _is_proposal(problem: AssignmentProblem, pairs: CandidatePairs) -> NDArray[np.bool_]:
    return np.isin(_key(pairs.mentor, pairs.learner, len(problem.cluster_ids)), problem.open_proposals)


def _unexamined(
    problem: AssignmentProblem,
    learners: NDArray[np.int64],
    selects: Callable[[AssignmentProblem, CandidatePairs], NDArray[np.bool_]],
) -> CandidatePairs:
    """The pairs of some learners that are not arcs yet and are selected."""
    numbers, mentors = np.unique(learners), problem.network.mentor_slots > 0
    none, ends = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    batches = [CandidatePairs(ends, ends, none, none)]
    for begin in range(0, len(numbers), BATCH_LEARNERS):
        batch = candidate_pairs(problem.features, mentors=mentors, learners=numbers[begin : begin + BATCH_LEARNERS])
        batches.append(_subset(batch, selects(problem, batch)))
    selected = CandidatePairs(*map(np.concatenate, zip(*batches, strict=True)))
    count = len(problem.cluster_ids)
    arcs = _key(problem.network.mentor, problem.network.learner, count)
    return _subset(selected, ~np.isin(_key(selected.mentor, selected.learner, count), arcs))


def _subset(pairs: CandidatePairs, selected: NDArray[np.bool_]) -> CandidatePairs:
    """The selected pairs, without `best_unexamined`."""
    return CandidatePairs(
        pairs.mentor[selected], pairs.learner[selected], pairs.score[selected], pairs.best_unexamined[:0]
    )


def _with_pairs(problem: AssignmentProblem, more: CandidatePairs) -> AssignmentProblem:
    """The problem with more pairs, as far as they are open; arcs are in the order of learner, then mentor."""
    network = problem.network
    mentor = np.concatenate([network.mentor, more.mentor])
    learner = np.concatenate([network.learner, more.learner])
    score = np.concatenate([problem.score, more.score])
    key = _key(mentor, learner, len(problem.cluster_ids))
    has_slots = (network.mentor_slots[mentor] > 0) & (network.learner_slots[learner] > 0)
    order = np.lexsort((mentor, learner))
    order = order[(has_slots & ~np.isin(key, problem.closed_pairs))[order]]
    network = network._replace(mentor=mentor[order].astype(np.int32), learner=learner[order].astype(np.int32))
    is_proposal = np.isin(key[order], problem.open_proposals)
    return _with_values(problem._replace(network=network, score=score[order], is_proposal=is_proposal))


def _with_values(problem: AssignmentProblem) -> AssignmentProblem:
    """The problem with the value of each arc."""
    reserve = problem.reserve_price[problem.network.mentor]
    value = problem.score - reserve + problem.move_price * problem.is_proposal
    return problem._replace(network=problem.network._replace(value=value))


def _free_slots(plan_input: PlanInput, role: Role, decided: Iterable[PairKey]) -> Int32Array:
    """Slots that decided pairs leave, by cluster number."""
    capacity = [plan_input.criteria.capacity_of(cluster, role) for cluster in plan_input.clusters]
    free: Int32Array = np.maximum(np.array(capacity, dtype=np.int32) - _used_slots(plan_input, role, decided), 0)
    return free


def _minimum(plan_input: PlanInput, role: Role, decided: Iterable[PairKey], free: Int32Array) -> Int32Array:
    """Minimum loads that decided pairs leave, at most the free slots, by cluster number."""
    loads = [plan_input.criteria.minimum_load_of(cluster.id, role) for cluster in plan_input.clusters]
    missing = np.array(loads, dtype=np.int32) - _used_slots(plan_input, role, decided)
    minimum: Int32Array = np.clip(missing, 0, free)
    return minimum


def _used_slots(plan_input: PlanInput, role: Role, decided: Iterable[PairKey]) -> Int32Array:
    index = {cluster.id: number for number, cluster in enumerate(plan_input.clusters)}
    used = np.zeros(len(index), dtype=np.int32)
    for pair in decided:
        number = index.get(pair.mentor_id if role == "mentor" else pair.learner_id)
        if number is not None:
            used[number] += 1
    return used


def _keys(pairs: Iterable[PairKey], index: dict[UUID, int]) -> NDArray[np.int64]:
    here = [pair for pair in pairs if pair.mentor_id in index and pair.learner_id in index]
    return np.array([index[mentor] * len(index) + index[learner] for mentor, learner in here], dtype=np.int64)


def _key(mentor: Int32Array, learner: Int32Array, count: int) -> NDArray[np.int64]:
    """One number for each pair of cluster numbers, of so many clusters."""
    return mentor.astype(np.int64) * count + learner
