"""What a mentor's place is worth to learners who are not there yet.

Later arrivals are simulated: so many clusters as are expected within the horizon, drawn from those that are known, with
what they need. In each future the best plan for those who are there and those who come gives a place its price (its
dual); the mean over the futures is what a pair of today must be worth more to take that place. The method is that of
"Placement optimization in refugee resettlement" (Ahani, Gölz, Procaccia, Teytelboym, Trapp), where it reached 98 % of
what is possible in hindsight.
"""

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER, Problem, solve
from services.matching.rules.question import Question

FUTURES = 20


def reserve_prices(question: Question, problem: Problem) -> NDArray[np.int64]:
    """The price of a place with each mentor, in hundredths of a point; all 0 if nothing is reserved."""
    reserve = question.criteria.reserve
    prices = np.zeros(len(problem.mentor_places), dtype=np.int64)
    if not reserve.on or not len(problem.worth):
        return prices
    chance = np.random.default_rng(question.seed)
    for _ in range(FUTURES):
        coming = int(chance.poisson(reserve.arrivals * reserve.days / 30))
        drawn = chance.choice(np.unique(problem.learner), size=coming)
        prices += np.maximum(solve(_with(problem, drawn), NEVER).mentor_price, 0)
    return np.asarray(prices // FUTURES, dtype=np.int64)


def _with(problem: Problem, drawn: NDArray[np.int64]) -> Problem:
    """The problem with one more learner for each that is drawn, who needs what that one needs, and one place."""
    begins = np.searchsorted(problem.learner, drawn, side="left")
    ends = np.searchsorted(problem.learner, drawn, side="right")
    arcs = np.concatenate([np.arange(len(problem.worth)), *map(np.arange, begins, ends)])
    number = len(problem.learner_places) + np.repeat(np.arange(len(drawn)), ends - begins)
    places = np.ones(len(drawn), dtype=np.int32)
    return problem._replace(
        mentor=problem.mentor[arcs],
        learner=np.concatenate([problem.learner, number]).astype(np.int32),
        worth=problem.worth[arcs],
        learner_places=np.concatenate([problem.learner_places, places]),
        learner_least=np.concatenate([problem.learner_least, places * 0]),
    )
