"""Clusters in numbers, so that all pairs are scored at once. Rows are clusters in the order given."""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.criteria import Criteria
from services.matching.rules.distance import kilometres
from services.matching.rules.profile import Profile

LABELS = ("none", "bronze", "silver", "gold")
"""From the least to the most."""

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


class History(NamedTuple):
    """What was before, and the day that is today: pairs that were, and proposals that ended without a yes, and when."""

    today: date
    paired: frozenset[tuple[UUID, UUID]] = frozenset()
    declined: tuple[tuple[UUID, UUID, date], ...] = ()


class Block(NamedTuple):
    """Which mentors (rows) are looked at with which learners (columns), in their order."""

    mentors: slice | Whole
    learners: slice | Whole


class Table:
    """What all terms and rules look at.

    Args:
        profiles: the clusters.
        criteria: by what they are compared.
        history: what was before.
    """

    def __init__(self, profiles: Sequence[Profile], criteria: Criteria, history: History) -> None:
        self.profiles, self.criteria, self.history = profiles, criteria, history
        self.number = {one.id: place for place, one in enumerate(profiles)}
        skills = sorted({skill for one in profiles for skill in (*one.needs, *one.requests)})
        self.levels = self._of([[one.levels.get(skill, 0) for skill in skills] for one in profiles], len(skills))
        needs = [one.needs for one in profiles]
        self.gaps = self._of([[need.get(skill, (0, 0))[0] for skill in skills] for need in needs], len(skills))
        self.priorities = self._of([[need.get(skill, (0, 0))[1] for skill in skills] for need in needs], len(skills))
        self.urgencies = self._of([[one.requests.get(skill, 0) for skill in skills] for one in profiles], len(skills))

    def _of(self, rows: Sequence[Sequence[int]], width: int) -> Whole:
        return np.array(rows, dtype=np.int64).reshape(len(rows), width)

    @cached_property
    def above(self) -> NDArray[np.float64]:
        """For each skill and level from 1 up: whether a cluster reaches it."""
        return np.concatenate([self.levels >= level for level in self._steps], axis=1).astype(np.float64)

    @cached_property
    def wanted(self) -> NDArray[np.float64]:
        """For each skill and level from 1 up: its priority, where it is above the level and up to the target."""
        parts = [
            self.priorities * ((self.levels < level) & (level <= self.levels + self.gaps)) for level in self._steps
        ]
        return np.concatenate(parts, axis=1).astype(np.float64)

    @cached_property
    def asked(self) -> NDArray[np.float64]:
        """For each skill and level from 1 up: the urgency of a request, where it is the next level."""
        parts = [self.urgencies * (self.levels + 1 == level) for level in self._steps]
        return np.concatenate(parts, axis=1).astype(np.float64)

    @cached_property
    def languages(self) -> NDArray[np.float64]:
        """Which languages each works in."""
        return self._sets([one.languages for one in self.profiles])

    @cached_property
    def ecosystems(self) -> NDArray[np.float64]:
        """Which ecosystems each works in."""
        return self._sets([one.ecosystems for one in self.profiles])

    @cached_property
    def stages(self) -> NDArray[np.float64]:
        """Which stages of a value chain each covers."""
        return self._sets([one.stages for one in self.profiles])

    @cached_property
    def countries(self) -> list[str]:
        """Where clusters are."""
        return sorted({one.country for one in self.profiles})

    @cached_property
    def country(self) -> Whole:
        """Where each is, by the country's place in `countries`."""
        return np.array([self.countries.index(one.country) for one in self.profiles], dtype=np.int64)

    @cached_property
    def apart(self) -> Whole:
        """Kilometres from each of the `countries` to each; below 0 where that is not known."""
        rows = [[kilometres(one, other) for other in self.countries] for one in self.countries]
        return self._of([[-1 if one is None else one for one in row] for row in rows], len(self.countries))

    @cached_property
    def outcomes(self) -> tuple[Whole, Whole]:
        """How many mentorships of each ended, and what their outcomes add up to."""
        records = [one.record for one in self.profiles]
        return np.array([len(one) for one in records], dtype=np.int64), np.array(
            [sum(one) for one in records], np.int64
        )

    @cached_property
    def exchanged(self) -> tuple[Whole, Whole]:
        """How many mentorships each has given and taken."""
        rows = [(one.given, one.taken) for one in self.profiles]
        given, taken = self._of(rows, 2).T
        return given, taken

    @cached_property
    def label(self) -> Whole:
        """The label of each, by its place in LABELS."""
        return np.array([LABELS.index(one.label) for one in self.profiles], dtype=np.int64)

    def listed(self, ids: Iterable[UUID]) -> Flags:
        """Which clusters are among these."""
        among = np.zeros(len(self.profiles), dtype=np.bool_)
        among[[self.number[one] for one in ids if one in self.number]] = True
        return among

    def pairs(self, pairs: Iterable[tuple[UUID, UUID]], block: Block) -> Flags:
        """Where in a block some pairs are."""
        numbers = np.arange(len(self.profiles))
        mentors, learners = numbers[block.mentors], numbers[block.learners]
        there = np.zeros((len(mentors), len(learners)), dtype=np.bool_)
        for mentor_id, learner_id in pairs:
            row, column = _place(mentors, self.number.get(mentor_id)), _place(learners, self.number.get(learner_id))
            if row is not None and column is not None:
                there[row, column] = True
        return there

    @cached_property
    def _steps(self) -> range:
        highest = max(self.levels.max(initial=0), (self.levels + self.gaps).max(initial=0))
        return range(1, int(highest) + 2)

    def _sets(self, sets: Sequence[frozenset[str]]) -> NDArray[np.float64]:
        names = sorted(frozenset().union(*sets))
        return np.array([[name in one for name in names] for one in sets], dtype=np.float64).reshape(
            len(sets), len(names)
        )


def _place(numbers: Whole, number: int | None) -> int | None:
    """Where a number stands among others that are in order."""
    place = 0 if number is None else int(np.searchsorted(numbers, number))
    return place if number is not None and place < len(numbers) and numbers[place] == number else None
