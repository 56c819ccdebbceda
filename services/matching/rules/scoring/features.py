"""Features of clusters as arrays, so that all pairs are scored at once. Rows are clusters in the order given."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from functools import cache, cached_property
from math import acos, cos, radians, sin
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.profile import Profile
from shared.geography import CAPITALS

LABELS = ("none", "bronze", "silver", "gold")
"""From the lowest to the highest."""
EARTH_RADIUS_KM = 6371.0088
"""Mean radius (International Union of Geodesy and Geophysics)."""

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Steps = NDArray[np.float32]
"""Clusters by steps; a step is a skill with a level from 1 up."""


@cache
def capital_distance_km(country: str, other: str) -> int | None:
    """Great-circle distance between two capitals (ISO 3166-1 alpha-2); None if a capital is not known."""
    if country not in CAPITALS or other not in CAPITALS:
        return None
    if country == other:
        return 0
    (lat, lon), (lat2, lon2) = (map(radians, CAPITALS[code]) for code in (country, other))
    return round(EARTH_RADIUS_KM * acos(sin(lat) * sin(lat2) + cos(lat) * cos(lat2) * cos(lon - lon2)))


class PairHistory(NamedTuple):
    """Pairs that have worked together, and declined or expired proposals with their day, as of `today`."""

    today: date
    paired: frozenset[tuple[UUID, UUID]] = frozenset()
    declined: tuple[tuple[UUID, UUID, date], ...] = ()


class Categories(NamedTuple):
    """Clusters grouped by equal values.

    Attributes:
        category_of: the category of each cluster.
        values: categories by columns.
    """

    category_of: Int64Array
    values: Int64Array


class ClusterFeatures:
    """All features that terms and exclusion rules use.

    Args:
        profiles: the clusters.
        criteria: the criteria of the plan.
        history: the pairs so far.
    """

    def __init__(self, profiles: Sequence[Profile], criteria: Criteria, history: PairHistory) -> None:
        self.profiles, self.criteria, self.history = profiles, criteria, history
        self.index = {profile.id: number for number, profile in enumerate(profiles)}
        skills = sorted({skill for profile in profiles for skill in (*profile.gaps, *profile.requests)})
        gaps = [profile.gaps for profile in profiles]
        count = len(skills)
        self.levels = _matrix([[profile.levels.get(skill, 0) for skill in skills] for profile in profiles], count)
        self.gaps = _matrix([[row.get(skill, (0, 0))[0] for skill in skills] for row in gaps], count)
        self.priorities = _matrix([[row.get(skill, (0, 0))[1] for skill in skills] for row in gaps], count)
        self.urgencies = _matrix([[profile.requests.get(skill, 0) for skill in skills] for profile in profiles], count)

    @cached_property
    def reached_steps(self) -> Steps:
        """1 where a cluster reaches the level of a step."""
        return self._by_step(lambda level: self.levels >= level)

    @cached_property
    def target_steps(self) -> Steps:
        """The priority of the target where a step is above the cluster's level and up to the target."""
        targets = self.levels + self.gaps
        return self._by_step(lambda level: self.priorities * ((self.levels < level) & (level <= targets)))

    @cached_property
    def request_steps(self) -> Steps:
        """The urgency of the request where a step is the cluster's next level."""
        return self._by_step(lambda level: self.urgencies * (self.levels + 1 == level))

    @cached_property
    def single_category(self) -> Categories:
        """One category of all clusters, for what does not depend on one side."""
        return Categories(np.zeros(len(self.profiles), dtype=np.int64), np.zeros((1, 0), dtype=np.int64))

    @cached_property
    def languages(self) -> Categories:
        """By working languages; a column is a language."""
        return _set_categories([profile.languages for profile in self.profiles])

    @cached_property
    def ecosystems(self) -> Categories:
        """By ecosystems; a column is an ecosystem."""
        return _set_categories([profile.ecosystems for profile in self.profiles])

    @cached_property
    def stages(self) -> Categories:
        """By stages of the value chain; a column is a stage."""
        return _set_categories([profile.stages for profile in self.profiles])

    @cached_property
    def country(self) -> Categories:
        """By country; columns are the kilometres to each category, negative if unknown."""
        category_of, countries = _group([profile.country for profile in self.profiles])
        distances = [[capital_distance_km(country, other) for other in countries] for country in countries]
        return Categories(
            category_of, _matrix([[-1 if km is None else km for km in row] for row in distances], len(countries))
        )

    @cached_property
    def outcomes(self) -> Categories:
        """By past outcomes as mentor; columns are their number and their sum."""
        return _number_categories([(len(profile.record), sum(profile.record)) for profile in self.profiles], 2)

    @cached_property
    def exchanged(self) -> Categories:
        """By mentorships so far; columns are the number given and the number taken."""
        return _number_categories([(profile.given, profile.taken) for profile in self.profiles], 2)

    @cached_property
    def label(self) -> Categories:
        """By label; the column is the index in LABELS."""
        return _number_categories([(LABELS.index(profile.label),) for profile in self.profiles], 1)

    def membership(self, ids: Iterable[UUID]) -> Categories:
        """By membership in a set of clusters; the column is 1 for members."""
        members = frozenset(ids)
        return _number_categories([(int(profile.id in members),) for profile in self.profiles], 1)

    def index_pairs(self, pairs: Iterable[tuple[UUID, UUID]]) -> frozenset[tuple[int, int]]:
        """Pairs of ids as pairs of row numbers; pairs of unknown clusters are left out."""
        index = self.index
        return frozenset(
            (index[mentor], index[learner]) for mentor, learner in pairs if {mentor, learner} <= index.keys()
        )

    def _by_step(self, of_level: Callable[[int], NDArray[Any]]) -> Steps:
        """The columns of each level from 1 up to the highest level of any cluster."""
        levels = range(1, int(self.levels.max(initial=0)) + 1)
        none = np.zeros((len(self.profiles), 0))
        return np.concatenate([none, *map(of_level, levels)], axis=1).astype(np.float32)


def features_of(plan_input: PlanInput) -> ClusterFeatures:
    """The features of a plan input's clusters, with the history of their pairs."""
    past = plan_input.past_pairs
    paired = frozenset((pair.mentor_id, pair.learner_id) for pair in past if pair.state == "ended")
    declined = tuple((pair.mentor_id, pair.learner_id, pair.since) for pair in past if pair.state != "ended")
    return ClusterFeatures(plan_input.clusters, plan_input.criteria, PairHistory(plan_input.today, paired, declined))


def _matrix(rows: Sequence[Sequence[int]], width: int) -> Int64Array:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _group(values: Sequence[Hashable]) -> tuple[Int64Array, list[Any]]:
    """The category of each value, and the distinct values in the order of their first occurrence."""
    categories: dict[Hashable, int] = {}
    category_of = [categories.setdefault(value, len(categories)) for value in values]
    return np.array(category_of, dtype=np.int64), list(categories)


def _number_categories(values: Sequence[tuple[int, ...]], width: int) -> Categories:
    category_of, distinct = _group(values)
    return Categories(category_of, _matrix(distinct, width))


def _set_categories(values: Sequence[frozenset[str]]) -> Categories:
    """A column for each name: 1 if the set of the category contains it."""
    category_of, distinct = _group(values)
    names = sorted(frozenset().union(*distinct))
    return Categories(category_of, _matrix([[name in members for name in names] for members in distinct], len(names)))
