"""Clusters in numbers, so that all pairs are scored at once. Rows are clusters in the order given."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.profile import Profile
from services.matching.rules.scoring.distance import capital_distance_km

LABELS = ("none", "bronze", "silver", "gold")
"""From the least to the most."""

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class PairHistory(NamedTuple):
    """What was before, and the day that is today: pairs that were, and proposals that ended without a yes, and when."""

    today: date
    paired: frozenset[tuple[UUID, UUID]] = frozenset()
    declined: tuple[tuple[UUID, UUID, date], ...] = ()


class Categories(NamedTuple):
    """Clusters sorted into kinds: of which each is, and what each kind is like (kinds by columns)."""

    of: Int64Array
    each: Int64Array


class ClusterFeatures:
    """What all terms and rules look at.

    Args:
        profiles: the clusters.
        criteria: by what they are compared.
        history: what was before.
    """

    def __init__(self, profiles: Sequence[Profile], criteria: Criteria, history: PairHistory) -> None:
        self.profiles, self.criteria, self.history = profiles, criteria, history
        self.index = {one.id: place for place, one in enumerate(profiles)}
        skills = sorted({skill for one in profiles for skill in (*one.needs, *one.requests)})
        self.levels = self._of([[one.levels.get(skill, 0) for skill in skills] for one in profiles], len(skills))
        needs = [one.needs for one in profiles]
        self.gaps = self._of([[need.get(skill, (0, 0))[0] for skill in skills] for need in needs], len(skills))
        self.priorities = self._of([[need.get(skill, (0, 0))[1] for skill in skills] for need in needs], len(skills))
        self.urgencies = self._of([[one.requests.get(skill, 0) for skill in skills] for one in profiles], len(skills))

    @cached_property
    def above(self) -> NDArray[np.float32]:
        """For each skill and level from 1 up: whether a cluster reaches it."""
        return self._by_step(lambda level: self.levels >= level)

    @cached_property
    def wanted(self) -> NDArray[np.float32]:
        """For each skill and level from 1 up: its priority, where it is above the level and up to the target."""
        targets = self.levels + self.gaps
        return self._by_step(lambda level: self.priorities * ((self.levels < level) & (level <= targets)))

    @cached_property
    def asked(self) -> NDArray[np.float32]:
        """For each skill and level from 1 up: the urgency of a request, where it is the next level."""
        return self._by_step(lambda level: self.urgencies * (self.levels + 1 == level))

    @cached_property
    def alike(self) -> Categories:
        """All of one kind: where it does not matter who is on this side."""
        return Categories(np.zeros(len(self.profiles), dtype=np.int64), np.zeros((1, 0), dtype=np.int64))

    @cached_property
    def languages(self) -> Categories:
        """Which languages each works in."""
        return _sets([one.languages for one in self.profiles])

    @cached_property
    def ecosystems(self) -> Categories:
        """Which ecosystems each works in."""
        return _sets([one.ecosystems for one in self.profiles])

    @cached_property
    def stages(self) -> Categories:
        """Which stages of a value chain each covers."""
        return _sets([one.stages for one in self.profiles])

    @cached_property
    def country(self) -> Categories:
        """Where each is: kilometres to the other kinds; below 0 where that is not known."""
        of, each = _sorted_out([one.country for one in self.profiles])
        far = [[capital_distance_km(one, other) for other in each] for one in each]
        return Categories(of, self._of([[-1 if one is None else one for one in row] for row in far], len(each)))

    @cached_property
    def outcomes(self) -> Categories:
        """How many mentorships of each ended, and what their outcomes add up to."""
        return _numbers([(len(one.record), sum(one.record)) for one in self.profiles], 2)

    @cached_property
    def exchanged(self) -> Categories:
        """How many mentorships each has given and taken."""
        return _numbers([(one.given, one.taken) for one in self.profiles], 2)

    @cached_property
    def label(self) -> Categories:
        """The label of each, by its place in LABELS."""
        return _numbers([(LABELS.index(one.label),) for one in self.profiles], 1)

    def listed(self, ids: Iterable[UUID]) -> Categories:
        """Which clusters are among these."""
        among = frozenset(ids)
        return _numbers([(int(one.id in among),) for one in self.profiles], 1)

    def pairs(self, pairs: Iterable[tuple[UUID, UUID]]) -> frozenset[tuple[int, int]]:
        """Pairs by the numbers of mentor and learner, without those whose clusters are not there."""
        index = self.index
        return frozenset(
            (index[mentor], index[learner]) for mentor, learner in pairs if {mentor, learner} <= index.keys()
        )

    def _of(self, rows: Sequence[Sequence[int]], width: int) -> Int64Array:
        return np.array(rows, dtype=np.int64).reshape(len(rows), width)

    def _by_step(self, of_level: Callable[[int], NDArray[Any]]) -> NDArray[np.float32]:
        """Columns for each level from 1 up to the highest that somebody has."""
        steps = range(1, int(self.levels.max(initial=0)) + 1)
        none = np.zeros((len(self.profiles), 0))
        return np.concatenate([none, *map(of_level, steps)], axis=1).astype(np.float32)


def features_of(plan_input: PlanInput) -> ClusterFeatures:
    """The features of a plan input's clusters, with the history of their pairs."""
    past = plan_input.past_pairs
    paired = frozenset((pair.mentor_id, pair.learner_id) for pair in past if pair.state == "ended")
    declined = tuple((pair.mentor_id, pair.learner_id, pair.since) for pair in past if pair.state != "ended")
    return ClusterFeatures(plan_input.clusters, plan_input.criteria, PairHistory(plan_input.today, paired, declined))


def _sorted_out(values: Sequence[Hashable]) -> tuple[Int64Array, list[Any]]:
    """Of which kind each value is, and the kinds."""
    kinds: dict[Hashable, int] = {}
    of = [kinds.setdefault(one, len(kinds)) for one in values]
    return np.array(of, dtype=np.int64), list(kinds)


def _numbers(values: Sequence[tuple[int, ...]], width: int) -> Categories:
    of, each = _sorted_out(values)
    return Categories(of, np.array(each, dtype=np.int64).reshape(len(each), width))


def _sets(values: Sequence[frozenset[str]]) -> Categories:
    """A column for each name: whether a kind has it."""
    of, each = _sorted_out(values)
    names = sorted(frozenset().union(*each))
    flags = [[name in one for name in names] for one in each]
    return Categories(of, np.array(flags, dtype=np.int64).reshape(len(each), len(names)))
