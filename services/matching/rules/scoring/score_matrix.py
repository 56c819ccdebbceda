"""The scores of all pairs: the sum of their terms in hundredths of a point, each rounded down.

Terms by category are computed once for each pair of categories and looked up for each pair. Terms by gap are matrix
products. The few pairs of pair lists are corrected at the end.
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
from services.matching.rules.scoring.features import ClusterFeatures, Int64Array, Steps
from services.matching.rules.scoring.term_shapes import CategoryTerm, GapTerm, NoGapTerm, PairListTerm, TermShape
from services.matching.rules.scoring.terms import TERMS

Points = NDArray[np.int32]
Factor = NDArray[np.floating[Any]]
EXCLUDED = -(2**24)
"""What a rule adds to a pair that it excludes: more than all terms can give."""
MAX_JOINT_CATEGORIES = 256
"""Two lookup terms are merged into one with joint categories if there are at most this many of them on either side."""
SPARSE_THRESHOLD = 0.5
"""The sparse product is used if at most this fraction of (learner, step) cells remains."""


class LiftTerm(NamedTuple):
    """A gap term: the weight of each step for each learner, and the points of one unit of weight."""

    weights: Steps
    factor: Factor


class LookupTerm(NamedTuple):
    """A category term: the category of each mentor and learner, and the points, mentors by learners."""

    mentors: Int64Array
    learners: Int64Array
    points: Int64Array


class ScoreModel:
    """The scores of all pairs of clusters, as components that are added up.

    Attributes:
        rules: the exclusion rules by name.
        terms: the terms by name.
        mentor: points that depend only on the mentor, by row number.
        learner: points that depend only on the learner, by row number.
        lookups: points that depend on the categories of both.
        lifts: points that depend on the learner's gaps.
        required: for each rule that requires a gap, the weights of which a mentor has to reach at least one step.
        pairs: points of single pairs: mentor, learner, points; in the order of learners.
    """

    def __init__(self, features: ClusterFeatures) -> None:
        self.rules = {name: rule.excludes(features) for name, rule in EXCLUSION_RULES.items()}
        self.terms = {name: term(features) for name, term in TERMS.items()}
        self.reached, self.lifts = features.reached_steps, list[LiftTerm]()
        self.mentor, self.learner = (np.zeros(len(features.profiles), dtype=np.int64) for _ in range(2))
        self.lookups, self.pairs = list[LookupTerm](), np.zeros((0, 3), dtype=np.int64)
        self.required = [shape.weights for shape in self.rules.values() if isinstance(shape, NoGapTerm)]
        for shape in self.rules.values():
            self._add(shape, lambda shape: EXCLUDED * shape.part.astype(np.int64), EXCLUDED)
        for name, shape in self.terms.items():
            self._add_weighted(name, shape, features.criteria.weights)
        self.lookups = _merged(self.lookups)
        self.pairs = self.pairs[np.argsort(self.pairs[:, 1], kind="stable")]

    def _add_weighted(self, name: str, shape: TermShape, weights: Weights) -> None:
        weight, half = 10_000 * int(getattr(weights, name)), weights.hundredths(name, 1, 2)

        def points(shape: CategoryTerm) -> Int64Array:
            exact = weight * shape.part.astype(np.int64) // (weights.total * shape.whole)
            return exact if shape.known is None else np.where(shape.known, exact, half)

        self._add(shape, points, weights.hundredths(name, 1, 1))
        if isinstance(shape, GapTerm):
            self.lifts.append(LiftTerm(shape.weights, _factor(weight, weights.total, shape.whole) * shape.known))
            self.learner += np.where(shape.known, 0, half)

    def _add(self, shape: TermShape, points_of: Callable[[CategoryTerm], Int64Array], whole: int) -> None:
        match shape:
            case CategoryTerm(mentors, learners):
                points = np.broadcast_to(points_of(shape), shape.shape)
                if len(learners.values) == 1:
                    self.mentor += points[mentors.category_of, 0]
                elif len(mentors.values) == 1:
                    self.learner += points[0, learners.category_of]
                else:
                    self.lookups.append(LookupTerm(mentors.category_of, learners.category_of, points))
            case PairListTerm(pairs, listed):
                others = whole * (1 - listed)
                self.learner += others
                corrections = [(*pair, whole * listed - others) for pair in pairs]
                self.pairs = np.concatenate([self.pairs, np.array(corrections, dtype=np.int64).reshape(-1, 3)])


@lru_cache(maxsize=2)
def score_model(features: ClusterFeatures) -> ScoreModel:
    """The score model of features; those of the last two calls are cached."""
    return ScoreModel(features)


class ScoreMatrix:
    """The scores of some mentors, by row numbers in ascending order, for any learners."""

    def __init__(self, model: ScoreModel, mentors: Int64Array) -> None:
        self._model, self._mentors = model, mentors
        self._reached = np.ascontiguousarray(model.reached[mentors].T)
        self._mentor = model.mentor[mentors].astype(np.int32)
        self._lookups = [
            (lookup.learners, np.ascontiguousarray(lookup.points.T.astype(np.int32)), lookup.mentors[mentors])
            for lookup in model.lookups
        ]
        self._pairs = model.pairs[np.isin(model.pairs[:, 0], mentors)]

    def scores(self, learners: Int64Array) -> Points:
        """Learners by mentors; negative where a rule excludes the pair.

        Args:
            learners: row numbers in ascending order.
        """
        points = self._model.learner[learners].astype(np.int32)[:, None] + self._mentor
        more = np.empty_like(points)
        for learner, table, mentor in self._lookups:
            points += table[learner[learners]].take(mentor, axis=1, out=more, mode="wrap")
        products = {id(weights): self._product(weights[learners]) for weights, _ in self._model.lifts}
        for weights, factor in self._model.lifts:
            rows, product = products[id(weights)]
            np.copyto(more[: len(product)], product * factor[learners][rows, None], casting="unsafe")
            points[rows] += more[: len(product)]
        for alternatives in self._model.required:
            reaches_any = np.zeros(points.shape, dtype=np.bool_)
            for rows, product in (products[id(weights)] for weights in alternatives):
                reaches_any[rows] |= product > 0
            points += np.multiply(~reaches_any, np.int32(EXCLUDED), out=more)
        self._correct_pairs(points, learners)
        return points

    def _product(self, weights: Steps) -> tuple[slice | Int64Array, Steps]:
        """Rows of some learners with a weight, and the sum of their weights over the steps that each mentor reaches."""
        rows, steps = (np.flatnonzero(weights.any(axis=axis)) for axis in (1, 0))
        if len(rows) * len(steps) > SPARSE_THRESHOLD * weights.size:
            return slice(None), weights @ self._reached
        return rows, weights[np.ix_(rows, steps)] @ self._reached[steps]

    def _correct_pairs(self, points: Points, learners: Int64Array) -> None:
        """Add the points of single pairs."""
        first, last = np.searchsorted(self._pairs[:, 1], [learners.min(initial=0), learners.max(initial=-1) + 1])
        mentor, learner, correction = self._pairs[first:last].T
        row = np.searchsorted(learners, learner)
        included = learners[row] == learner
        column = np.searchsorted(self._mentors, mentor[included])
        np.add.at(points, (row[included], column), correction[included])


def _factor(weight: int, weights: int, whole: Int64Array) -> Factor:
    """The points of one part of each learner's whole, such that the product with a part, rounded down, is exact.

    A product that is not an integer differs from the next integer by at least one part of the divisor. The factor is
    therefore increased slightly: by less than that (for wholes up to 100,000, that is, a thousand targets and more),
    and by more than the rounding errors of the factor and of its products. Single precision is twice as fast and is
    used where it is exact.
    """
    single = weight / weights * 2**-20 < gcd(weight, weights) / (weights * whole.max(initial=1))
    increased = weight / (weights * whole.astype(np.float64)) * (1 + (2**-21 if single else 2**-50))
    return increased.astype(np.float32) if single else increased


def _merged(lookups: Sequence[LookupTerm]) -> list[LookupTerm]:
    """The same lookups with those merged that have few joint categories."""
    for first, second in combinations(lookups, 2):
        mentors, joint_of_mentor = _joint_categories(first.mentors, second.mentors)
        learners, joint_of_learner = _joint_categories(first.learners, second.learners)
        if max(mentors.shape[1], learners.shape[1]) <= MAX_JOINT_CATEGORIES:
            points = first.points[np.ix_(mentors[0], learners[0])] + second.points[np.ix_(mentors[1], learners[1])]
            others = [lookup for lookup in lookups if lookup is not first and lookup is not second]
            return _merged([*others, LookupTerm(joint_of_mentor, joint_of_learner, points)])
    return list(lookups)


def _joint_categories(first: Int64Array, second: Int64Array) -> tuple[Int64Array, Int64Array]:
    """The combinations that occur of two categorisations, as two rows, and the combination of each cluster."""
    width = int(second.max(initial=0)) + 1
    joint, joint_of = np.unique(first * width + second, return_inverse=True)
    return np.stack(np.divmod(joint, width)), joint_of
