"""What a mentor's place is worth to learners who are not there yet.

Later arrivals are simulated: so many as are expected within the horizon, drawn from all learners that are known, with
what they need. In each future the best plan for those who are there and those who come gives a place its price (its
dual); the mean over the futures is what a pair of today must be worth more to take that place. The method is that of
"Placement optimization in refugee resettlement" (Ahani, Gölz, Procaccia, Teytelboym, Trapp), where it reached 98 % of
what is possible in hindsight.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, IncrementalSolver, Problem, solve
from services.matching.rules.inputs.criteria import Reserve
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.scoring.candidates import CandidatePairs

FUTURES = 50
MAX_ARRIVALS_FACTOR = 3
"""So many times the learners who are there may arrive in all futures together, for one plan to be kept for all."""
DAYS_PER_MONTH = 30
HISTORY_DAYS = 180
"""Days of history that count."""
PRIOR_ARRIVALS = 2
"""Arrivals a month where there is no history; it counts like one month of it."""


def expected_arrivals(question: PlanInput) -> float:
    """How many learners are expected in 30 days: as the criteria say, else as the last half year says.

    Requests for help are what arrives. Each month since the first of them counts as much as the prior does.
    """
    reserve = question.criteria.reserve
    if reserve.arrivals is not None:
        return reserve.arrivals
    ages = [(question.today - day).days for day in question.arrival_dates]
    lately = [age for age in ages if 0 <= age < HISTORY_DAYS]
    months = max(lately, default=0) / DAYS_PER_MONTH
    return (PRIOR_ARRIVALS + len(lately)) / (1 + months)


def reserve_prices(question: PlanInput, problem: Problem, known: CandidatePairs) -> NDArray[np.int64]:
    """The price of a place with each mentor, in hundredths of a point; all 0 if nothing is reserved.

    Args:
        question: how much is reserved, and where chance begins.
        problem: who is there.
        known: what pairs of all that are known score, also of learners who have their mentors already.
    """
    reserve = question.criteria.reserve
    prices = np.zeros(len(problem.mentor_slots), dtype=np.int64)
    if not reserve.on:
        return prices
    takes = np.array([question.criteria.capacity_of(one, "learner") > 0 for one in question.clusters], dtype=np.bool_)
    there = (problem.mentor_slots[known.mentor] > 0) & takes[known.learner]
    if not there.any():
        return prices
    known = known._replace(mentor=known.mentor[there], learner=known.learner[there], score=known.score[there])
    for price in _futures(problem, known, _drawn(question, reserve, known)):
        prices += np.maximum(price, 0)
    return np.asarray(prices // FUTURES, dtype=np.int64)


def _drawn(question: PlanInput, reserve: Reserve, known: CandidatePairs) -> list[NDArray[np.int32]]:
    """For each future, whose like arrives."""
    chance = np.random.default_rng(question.seed)
    mean, learners = expected_arrivals(question) * reserve.days / DAYS_PER_MONTH, np.unique(known.learner)
    return [chance.choice(learners, size=int(chance.poisson(mean))) for _ in range(FUTURES)]


def _futures(
    problem: Problem, known: CandidatePairs, drawn: Sequence[NDArray[np.int32]]
) -> Iterator[NDArray[np.int64]]:
    """The mentors' prices in each future: one plan is kept, and those who arrive come and go.

    In a crowd, or where there are minimum loads, each future is planned anew.
    """
    crowded = sum(map(len, drawn)) > MAX_ARRIVALS_FACTOR * len(np.unique(known.learner))
    if crowded or problem.mentor_minimum.any() or problem.learner_minimum.any():
        for arrivals in drawn:
            yield solve(_with(problem, known, arrivals, places=1), NEVER_STOP).mentor_price
        return
    kept = IncrementalSolver(_with(problem, known, np.concatenate(drawn), places=0))
    first = len(problem.learner_slots)
    for arrivals in drawn:
        those = range(first, first + len(arrivals))
        for learner in those:
            kept.learner_slots(learner, 1)
        yield kept.mentor_price.copy()
        for learner in those:
            kept.learner_slots(learner, 0)
        first += len(arrivals)


def _with(problem: Problem, known: CandidatePairs, drawn: NDArray[np.int32], *, places: int) -> Problem:
    """The problem with one more learner for each that is drawn, who needs what that one needs."""
    begins = np.searchsorted(known.learner, drawn, side="left")
    ends = np.searchsorted(known.learner, drawn, side="right")
    arcs = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, begins, ends)])
    number = len(problem.learner_slots) + np.repeat(np.arange(len(drawn)), ends - begins)
    new = np.full(len(drawn), places, dtype=np.int32)
    return problem._replace(
        mentor=np.concatenate([problem.mentor, known.mentor[arcs]]),
        learner=np.concatenate([problem.learner, number]).astype(np.int32),
        worth=np.concatenate([problem.worth, known.score[arcs]]),
        learner_slots=np.concatenate([problem.learner_slots, new]),
        learner_minimum=np.concatenate([problem.learner_minimum, new * 0]),
    )
