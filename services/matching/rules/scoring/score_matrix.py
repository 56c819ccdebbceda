"""The scores of all pairs, added up from their terms in whole hundredths of a point, each rounded down.

What depends on kinds is added up once for each two kinds, and looked up for each pair; what a mentor can bring nearer
to its targets is a matrix product; the few pairs of which there is something to say are put right one by one.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.inputs.criteria import Weights
from services.matching.rules.scoring.exclusion_rules import EXCLUSION_RULES
from services.matching.rules.scoring.features import ClusterFeatures, Int64Array
from services.matching.rules.scoring.term_shapes import CategoryTerm, GapTerm, NoGapTerm, PairListTerm, Steps, TermShape
from services.matching.rules.scoring.terms import TERMS

Points = NDArray[np.int32]
Factor = NDArray[np.floating[Any]]
EXCLUDED = -(2**24)
"""What a rule adds to a pair that it excludes: more than all terms give."""
MAX_JOINT_CATEGORIES = 256
"""Two sorts of kinds are looked up together where that makes no more kinds."""
SPARSE_THRESHOLD = 0.5
"""The share of learners and steps where something is wanted, up to which the others are left out of a product."""


class LiftTerm(NamedTuple):
    """What learners give for each step, and what a unit of it is worth to each."""

    wants: Steps
    factor: Factor


class LookupTerm(NamedTuple):
    """Points that are looked up: of which kind each mentor and each learner is, and what two kinds get."""

    mentors: Int64Array
    learners: Int64Array
    points: Int64Array


class ScoreModel:
    """What all pairs of a table are added up from.

    `rules` and `terms` are the forms by their names. What only one side matters for is in `mentor` and `learner`;
    `pairs` are mentor, learner and points, in the order of learners.
    """

    def __init__(self, table: ClusterFeatures) -> None:
        self.rules = {name: rule.excludes(table) for name, rule in EXCLUSION_RULES.items()}
        self.terms = {name: term(table) for name, term in TERMS.items()}
        self.above, self.lifts = table.above, list[LiftTerm]()
        self.mentor, self.learner = (np.zeros(len(table.profiles), dtype=np.int64) for _ in range(2))
        self.tables, self.pairs = list[LookupTerm](), np.zeros((0, 3), dtype=np.int64)
        self.must_lift = [form.wants for form in self.rules.values() if isinstance(form, NoGapTerm)]
        for form in self.rules.values():
            self._add(form, lambda form: EXCLUDED * form.part.astype(np.int64), EXCLUDED)
        for name, form in self.terms.items():
            self._weigh(name, form, table.criteria.weights)
        self.tables = _joined(self.tables)
        self.pairs = self.pairs[np.argsort(self.pairs[:, 1], kind="stable")]

    def _weigh(self, name: str, form: TermShape, weights: Weights) -> None:
        weight, half = 10_000 * int(getattr(weights, name)), weights.hundredths(name, 1, 2)

        def points(form: CategoryTerm) -> Int64Array:
            exact = weight * form.part.astype(np.int64) // (weights.total * form.whole)
            return exact if form.known is None else np.where(form.known, exact, half)

        self._add(form, points, weights.hundredths(name, 1, 1))
        if isinstance(form, GapTerm):
            self.lifts.append(LiftTerm(form.wants, _factor(weight, weights.total, form.whole) * form.known))
            self.learner += np.where(form.known, 0, half)

    def _add(self, form: TermShape, points: Callable[[CategoryTerm], Int64Array], whole: int) -> None:
        match form:
            case CategoryTerm(mentors, learners):
                given = np.broadcast_to(points(form), form.shape)
                if len(learners.each) == 1:
                    self.mentor += given[mentors.of, 0]
                elif len(mentors.each) == 1:
                    self.learner += given[0, learners.of]
                else:
                    self.tables.append(LookupTerm(mentors.of, learners.of, given))
            case PairListTerm(pairs, listed):
                rest = whole * (1 - listed)
                self.learner += rest
                put_right = [(*pair, whole * listed - rest) for pair in pairs]
                self.pairs = np.concatenate([self.pairs, np.array(put_right, dtype=np.int64).reshape(-1, 3)])


@lru_cache(maxsize=2)
def score_model(table: ClusterFeatures) -> ScoreModel:
    """The sums of a table; of the last tables they are kept."""
    return ScoreModel(table)


class ScoreMatrix:
    """The scores of some mentors, by their numbers in order, for any learners."""

    def __init__(self, whole: ScoreModel, mentors: Int64Array) -> None:
        self._sums, self._mentors = whole, mentors
        self._above = np.ascontiguousarray(whole.above[mentors].T)
        self._mentor = whole.mentor[mentors].astype(np.int32)
        self._tables = [
            (one.learners, np.ascontiguousarray(one.points.T.astype(np.int32)), one.mentors[mentors])
            for one in whole.tables
        ]
        self._pairs = whole.pairs[np.isin(whole.pairs[:, 0], mentors)]

    def scores(self, learners: Int64Array) -> Points:
        """Learners by mentors; below 0 where a rule excludes the pair.

        Args:
            learners: their numbers, in order.
        """
        points = self._sums.learner[learners].astype(np.int32)[:, None] + self._mentor
        more = np.empty_like(points)
        for learner, table, mentor in self._tables:
            points += table[learner[learners]].take(mentor, axis=1, out=more, mode="wrap")
        lifted = {id(wants): self._lifted(wants[learners]) for wants, _ in self._sums.lifts}
        for wants, factor in self._sums.lifts:
            rows, steps = lifted[id(wants)]
            np.copyto(more[: len(steps)], steps * factor[learners][rows, None], casting="unsafe")
            points[rows] += more[: len(steps)]
        for ways in self._sums.must_lift:
            above = np.zeros(points.shape, dtype=np.bool_)
            for rows, steps in (lifted[id(wants)] for wants in ways):
                above[rows] |= steps > 0
            points += np.multiply(~above, np.int32(EXCLUDED), out=more)
        self._put_right(points, learners)
        return points

    def _lifted(self, wants: Steps) -> tuple[slice | Int64Array, Steps]:
        """Which of some learners want anything, and what each mentor can bring nearer to it."""
        rows, steps = (np.flatnonzero(wants.any(axis=axis)) for axis in (1, 0))
        if len(rows) * len(steps) > SPARSE_THRESHOLD * wants.size:
            return slice(None), wants @ self._above
        return rows, wants[np.ix_(rows, steps)] @ self._above[steps]

    def _put_right(self, points: Points, learners: Int64Array) -> None:
        """Add what there is to say of single pairs."""
        first, last = np.searchsorted(self._pairs[:, 1], [learners.min(initial=0), learners.max(initial=-1) + 1])
        mentor, learner, given = self._pairs[first:last].T
        row = np.searchsorted(learners, learner)
        there = learners[row] == learner
        np.add.at(points, (row[there], np.searchsorted(self._mentors, mentor[there])), given[there])


def _factor(weight: int, weights: int, whole: Int64Array) -> Factor:
    """What a part of each learner's whole gives, so that a product with it rounded down is exact.

    A product that is not whole is further from the next whole than by one part of the divisor. The factor is a little
    more than it should be: by less than that (for wholes up to 100,000, of a thousand targets and more), and by more
    than is lost where it and its products are rounded. Single precision, twice as fast, is taken where it will do.
    """
    single = weight / weights * 2**-20 < gcd(weight, weights) / (weights * whole.max(initial=1))
    nudged = weight / (weights * whole.astype(np.float64)) * (1 + (2**-21 if single else 2**-50))
    return nudged.astype(np.float32) if single else nudged


def _joined(tables: Sequence[LookupTerm]) -> list[LookupTerm]:
    """What is looked up by the same kinds, or by few kinds, in one table."""
    for one, other in combinations(tables, 2):
        mentors, of_mentor = _both(one.mentors, other.mentors)
        learners, of_learner = _both(one.learners, other.learners)
        if max(mentors.shape[1], learners.shape[1]) <= MAX_JOINT_CATEGORIES:
            points = one.points[np.ix_(mentors[0], learners[0])] + other.points[np.ix_(mentors[1], learners[1])]
            rest = [table for table in tables if table is not one and table is not other]
            return _joined([*rest, LookupTerm(of_mentor, of_learner, points)])
    return list(tables)


def _both(one: Int64Array, other: Int64Array) -> tuple[Int64Array, Int64Array]:
    """The kinds there are by two sorts of kinds, as rows of either, and of which each is."""
    width = int(other.max(initial=0)) + 1
    joint, of = np.unique(one * width + other, return_inverse=True)
    return np.stack(np.divmod(joint, width)), of
