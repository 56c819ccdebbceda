"""Reserve prices: what a mentor's slot is worth to learners who arrive later.

Arrivals are simulated: as many as are expected within the horizon, drawn from all known learners with their gaps. In
each scenario the best plan for present and arriving learners gives each slot a price (its dual). The mean over the
scenarios is the minimum by which a pair of today has to exceed the slot's other uses. The method is that of "Placement
optimization in refugee resettlement" (Ahani, Gölz, Procaccia, Teytelboym, Trapp), which reached 98 % of the optimum in
hindsight.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, IncrementalSolver, Problem, solve
from services.matching.rules.inputs.criteria import Reserve
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.scoring.candidates import CandidatePairs

SCENARIOS = 50
MAX_ARRIVALS_FACTOR = 3
"""One incremental solver serves all scenarios if their arrivals are at most this multiple of the known learners."""
DAYS_PER_MONTH = 30
HISTORY_DAYS = 180
"""Days of past arrivals that count."""
PRIOR_ARRIVALS = 2
"""Arrivals per month without a history; the prior counts as much as one month of history."""


def expected_arrivals(plan_input: PlanInput) -> float:
    """Learners expected in 30 days: the number in the criteria, or an estimate from the last 180 days.

    Service requests count as arrivals. Each month since the first of them has the same weight as the prior.
    """
    reserve = plan_input.criteria.reserve
    if reserve.arrivals is not None:
        return reserve.arrivals
    ages = [(plan_input.today - day).days for day in plan_input.arrival_dates]
    recent = [age for age in ages if 0 <= age < HISTORY_DAYS]
    months = max(recent, default=0) / DAYS_PER_MONTH
    return (PRIOR_ARRIVALS + len(recent)) / (1 + months)


def reserve_prices(plan_input: PlanInput, problem: Problem, candidates: CandidatePairs) -> NDArray[np.int64]:
    """The reserve price of a slot of each mentor, in hundredths of a point; 0 if the criteria reserve nothing.

    Args:
        plan_input: has the criteria of the reserve and the seed.
        problem: the present learners.
        candidates: pairs of all known learners, also of those without a free slot.
    """
    reserve = plan_input.criteria.reserve
    prices = np.zeros(len(problem.mentor_slots), dtype=np.int64)
    if not reserve.on:
        return prices
    criteria, clusters = plan_input.criteria, plan_input.clusters
    is_learner = np.array([criteria.capacity_of(cluster, "learner") > 0 for cluster in clusters], dtype=np.bool_)
    open_ = (problem.mentor_slots[candidates.mentor] > 0) & is_learner[candidates.learner]
    if not open_.any():
        return prices
    candidates = candidates._replace(
        mentor=candidates.mentor[open_], learner=candidates.learner[open_], score=candidates.score[open_]
    )
    for price in _scenario_prices(problem, candidates, _drawn_arrivals(plan_input, reserve, candidates)):
        prices += np.maximum(price, 0)
    return np.asarray(prices // SCENARIOS, dtype=np.int64)


def _drawn_arrivals(plan_input: PlanInput, reserve: Reserve, candidates: CandidatePairs) -> list[NDArray[np.int32]]:
    """For each scenario, the known learners that the arriving learners equal."""
    generator = np.random.default_rng(plan_input.seed)  # noqa: TID251  the seed is part of the input
    mean = expected_arrivals(plan_input) * reserve.days / DAYS_PER_MONTH
    learners = np.unique(candidates.learner)
    return [generator.choice(learners, size=int(generator.poisson(mean))) for _ in range(SCENARIOS)]


def _scenario_prices(
    problem: Problem, candidates: CandidatePairs, drawn: Sequence[NDArray[np.int32]]
) -> Iterator[NDArray[np.int64]]:
    """The mentors' prices in each scenario, from one incremental solver in which arrivals get and lose a slot.

    With many arrivals, or with minimum loads, each scenario is solved from scratch.
    """
    many = sum(map(len, drawn)) > MAX_ARRIVALS_FACTOR * len(np.unique(candidates.learner))
    if many or problem.mentor_minimum.any() or problem.learner_minimum.any():
        for arrivals in drawn:
            yield solve(_with_arrivals(problem, candidates, arrivals, slots=1), NEVER_STOP).mentor_price
        return
    solver = IncrementalSolver(_with_arrivals(problem, candidates, np.concatenate(drawn), slots=0))
    first = len(problem.learner_slots)
    for arrivals in drawn:
        learners = range(first, first + len(arrivals))
        for learner in learners:
            solver.set_learner_slots(learner, 1)
        yield solver.mentor_price.copy()
        for learner in learners:
            solver.set_learner_slots(learner, 0)
        first += len(arrivals)


def _with_arrivals(problem: Problem, candidates: CandidatePairs, drawn: NDArray[np.int32], *, slots: int) -> Problem:
    """The problem with a learner for each that is drawn, with the same pairs and the given slots."""
    begins = np.searchsorted(candidates.learner, drawn, side="left")
    ends = np.searchsorted(candidates.learner, drawn, side="right")
    arcs = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, begins, ends)])
    learner = len(problem.learner_slots) + np.repeat(np.arange(len(drawn)), ends - begins)
    new_slots = np.full(len(drawn), slots, dtype=np.int32)
    return problem._replace(
        mentor=np.concatenate([problem.mentor, candidates.mentor[arcs]]),
        learner=np.concatenate([problem.learner, learner]).astype(np.int32),
        value=np.concatenate([problem.value, candidates.score[arcs]]),
        learner_slots=np.concatenate([problem.learner_slots, new_slots]),
        learner_minimum=np.concatenate([problem.learner_minimum, new_slots * 0]),
    )
