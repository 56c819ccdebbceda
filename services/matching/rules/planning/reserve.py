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

from services.matching.rules.engine import NEVER, Kept, Problem, solve
from services.matching.rules.inputs.criteria import Reserve
from services.matching.rules.inputs.plan_input import Question
from services.matching.rules.scoring.candidates import Worths

FUTURES = 50
CROWD = 3
"""So many times the learners who are there may arrive in all futures together, for one plan to be kept for all."""
MONTH = 30
LOOKED_BACK = 180
"""Days of history that count."""
PRIOR = 2
"""Arrivals a month where there is no history; it counts like one month of it."""


def expected(question: Question) -> float:
    """How many learners are expected in 30 days: as the criteria say, else as the last half year says.

    Requests for help are what arrives. Each month since the first of them counts as much as the prior does.
    """
    reserve = question.criteria.reserve
    if reserve.arrivals is not None:
        return reserve.arrivals
    ages = [(question.today - day).days for day in question.arrived]
    lately = [age for age in ages if 0 <= age < LOOKED_BACK]
    months = max(lately, default=0) / MONTH
    return (PRIOR + len(lately)) / (1 + months)


def reserve_prices(question: Question, problem: Problem, known: Worths) -> NDArray[np.int64]:
    """The price of a place with each mentor, in hundredths of a point; all 0 if nothing is reserved.

    Args:
        question: how much is reserved, and where chance begins.
        problem: who is there.
        known: what pairs of all that are known score, also of learners who have their mentors already.
    """
    reserve = question.criteria.reserve
    prices = np.zeros(len(problem.mentor_places), dtype=np.int64)
    if not reserve.on:
        return prices
    takes = np.array([question.criteria.places_of(one, "learner") > 0 for one in question.clusters], dtype=np.bool_)
    there = (problem.mentor_places[known.mentor] > 0) & takes[known.learner]
    if not there.any():
        return prices
    known = known._replace(mentor=known.mentor[there], learner=known.learner[there], score=known.score[there])
    for price in _futures(problem, known, _drawn(question, reserve, known)):
        prices += np.maximum(price, 0)
    return np.asarray(prices // FUTURES, dtype=np.int64)


def _drawn(question: Question, reserve: Reserve, known: Worths) -> list[NDArray[np.int32]]:
    """For each future, whose like arrives."""
    chance = np.random.default_rng(question.seed)
    mean, learners = expected(question) * reserve.days / MONTH, np.unique(known.learner)
    return [chance.choice(learners, size=int(chance.poisson(mean))) for _ in range(FUTURES)]


def _futures(problem: Problem, known: Worths, drawn: Sequence[NDArray[np.int32]]) -> Iterator[NDArray[np.int64]]:
    """The mentors' prices in each future: one plan is kept, and those who arrive come and go.

    In a crowd, or where there are minimum loads, each future is planned anew.
    """
    crowded = sum(map(len, drawn)) > CROWD * len(np.unique(known.learner))
    if crowded or problem.mentor_least.any() or problem.learner_least.any():
        for arrivals in drawn:
            yield solve(_with(problem, known, arrivals, places=1), NEVER).mentor_price
        return
    kept = Kept(_with(problem, known, np.concatenate(drawn), places=0))
    first = len(problem.learner_places)
    for arrivals in drawn:
        those = range(first, first + len(arrivals))
        for learner in those:
            kept.learner_places(learner, 1)
        yield kept.mentor_price.copy()
        for learner in those:
            kept.learner_places(learner, 0)
        first += len(arrivals)


def _with(problem: Problem, known: Worths, drawn: NDArray[np.int32], *, places: int) -> Problem:
    """The problem with one more learner for each that is drawn, who needs what that one needs."""
    begins = np.searchsorted(known.learner, drawn, side="left")
    ends = np.searchsorted(known.learner, drawn, side="right")
    arcs = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, begins, ends)])
    number = len(problem.learner_places) + np.repeat(np.arange(len(drawn)), ends - begins)
    new = np.full(len(drawn), places, dtype=np.int32)
    return problem._replace(
        mentor=np.concatenate([problem.mentor, known.mentor[arcs]]),
        learner=np.concatenate([problem.learner, number]).astype(np.int32),
        worth=np.concatenate([problem.worth, known.score[arcs]]),
        learner_places=np.concatenate([problem.learner_places, new]),
        learner_least=np.concatenate([problem.learner_least, new * 0]),
    )
