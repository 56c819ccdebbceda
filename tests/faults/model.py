"""The model of members and trainings in plain dicts: responses and events. The first half of test_model.py's oracle.

A command returns the slug of its refusal, or the effect on the model to apply after the commit.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

TOP = 5
"""The end of the scale of levels."""
WEIGHT = {"self": 0, "expert": 1}

Effect = Callable[[], None]
Answer = str | Effect


class Fact(NamedTuple):
    """An event that the log must have; its version is its number among the events of its key."""

    kind: str
    data: Mapping[str, Any]


@dataclass
class Log:
    """The published events by key."""

    facts: dict[UUID, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    newest: list[tuple[UUID, int]] = field(default_factory=list)
    """The keys and versions that the last command put."""

    def put(self, kind: str, key: UUID, **data: Any) -> None:
        self.facts[key].append(Fact(kind, data))
        self.newest.append((key, len(self.facts[key])))


class Members:
    """The model of members: clusters and assessments."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.clusters: dict[UUID, str] = {}
        self._scores: dict[UUID, list[tuple[str, date, bool, dict[str, int]]]] = defaultdict(list)
        self._open: set[tuple[UUID, str]] = set()

    def version(self, cluster: UUID) -> int:
        return len(self._log.facts[cluster])

    def register(self, id: UUID, slug: str, languages: frozenset[str], capacity: tuple[int, int]) -> Answer:
        if slug in self.clusters.values():
            return "slug-taken"

        def effect() -> None:
            self.clusters[id] = slug
            self._log.put("registered", id, languages=languages, capacity=capacity)

        return effect

    def change(self, id: UUID, seen: int, languages: frozenset[str]) -> Answer:
        if seen != self.version(id):
            return "stale"
        return lambda: self._log.put("changed", id, languages=languages)

    def set_capacity(self, id: UUID, seen: int, capacity: tuple[int, int]) -> Answer:
        if seen != self.version(id):
            return "stale"
        return lambda: self._log.put("capacity", id, capacity=capacity)

    def assess(self, id: UUID, kind: str, on: date, scores: dict[str, int], *, lasts: bool) -> Answer:
        """`lasts`: the assessment is valid today; otherwise it has expired."""
        if max(scores.values()) > TOP:
            return "off-scale"
        known = self._scores[id]
        if any((kind, on) == (known_kind, day) for known_kind, day, _, _ in known):
            return "already-assessed"

        def effect() -> None:
            known.append((kind, on, lasts, scores))
            counting = {name: _counting(name, known) for name in scores}
            self._log.put("assessed", id, levels={name: level for name, level in counting.items() if level})

        return effect

    def aim(self, id: UUID, indicator: str, level: int) -> Answer:
        if level > TOP:
            return "off-scale"
        return lambda: self._log.put("target", id, indicator=indicator, level=level)

    def request(self, id: UUID, cluster: UUID, indicator: str) -> Answer:
        if (cluster, indicator) in self._open:
            return "already-requested"

        def effect() -> None:
            self._open.add((cluster, indicator))
            self._log.put("requested", cluster, request=id, indicator=indicator)

        return effect


def _counting(name: str, known: Iterable[tuple[str, date, bool, dict[str, int]]]) -> tuple[int, date] | None:
    valid = [(WEIGHT[kind], on, scores[name]) for kind, on, lasts, scores in known if lasts and name in scores]
    if not valid:
        return None
    _, on, score = max(valid)
    return score, on


@dataclass
class Activity:
    """A training."""

    host: UUID
    on: date
    seats: int
    teaches: dict[str, int]
    version: int = 2
    over: bool = False
    taken: int = 0
    seated: list[UUID] = field(default_factory=list)
    waiting: list[UUID] = field(default_factory=list)


class Trainings:
    """The model of trainings: activities and registrations."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.known: set[UUID] = set()
        self.activities: dict[UUID, Activity] = {}

    def plan(self, id: UUID, host: UUID, on: date, seats: int, teaches: dict[str, int]) -> Answer:
        if host not in self.known:
            return "unknown-cluster"

        def effect() -> None:
            self.activities[id] = Activity(host, on, seats, teaches)
            self._log.put("published", id)

        return effect

    def enrol(self, id: UUID, cluster: UUID, seats: int) -> Answer:
        activity = self.activities[id]
        if activity.over:
            return "not-open"
        if cluster not in self.known:
            return "unknown-cluster"
        if cluster in activity.seated + activity.waiting:
            return "already-registered"
        if seats > activity.seats:
            return "too-many-seats"

        def effect() -> None:
            activity.version += 1
            if activity.waiting or seats > activity.seats - activity.taken:
                activity.waiting.append(cluster)
                self._log.put("waitlisted", id)
            else:
                activity.seated.append(cluster)
                activity.taken += seats
                self._log.put("confirmed", id)

        return effect

    def finish(self, id: UUID, present: set[UUID]) -> Answer:
        activity = self.activities[id]
        if activity.over:
            return "not-open"

        def effect() -> None:
            activity.over = True
            gains = {
                (caller, name): gain for caller in present - {activity.host} for name, gain in activity.teaches.items()
            }
            self._log.put("completed", id, gains=gains, on=activity.on)

        return effect
