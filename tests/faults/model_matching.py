"""What matching should know, propose and answer, in plain dicts: the other half of the oracle of test_model.py.

Which of the possible pairs are the best is not its matter; tests/rules and test_optimum.py see to that.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from tests.faults.model import TOP, Answer, Log

MOST = 3
"""Mentors proposed for one request."""
SIDES = ("mentor", "learner")
Couple = tuple[UUID, UUID]
"""A mentor and a learner."""


class Found(NamedTuple):
    """A pair as matching keeps it."""

    id: UUID
    run: UUID | None
    request: UUID | None
    mentor: UUID
    learner: UUID
    state: str = "draft"
    mentor_answer: str | None = None
    learner_answer: str | None = None
    version: int = 1
    events: int = 0

    @property
    def couple(self) -> Couple:
        return self.mentor, self.learner


class Place(NamedTuple):
    """How many a cluster can take on one side, and how many accepted pairs take."""

    capacity: int
    used: int
    ceiling: int
    version: int


@dataclass(frozen=True)
class Known:
    """What is projected from events, each with the version it comes from."""

    clusters: dict[UUID, tuple[frozenset[str], int]]
    levels: dict[tuple[UUID, str], tuple[int, date, int]]
    targets: dict[tuple[UUID, str], tuple[int, int]]
    requests: dict[UUID, tuple[UUID, str]]
    gains: dict[tuple[UUID, UUID, str], tuple[int, date]]

    def level(self, cluster: UUID, name: str) -> int:
        """With the gains of trainings after it was measured."""
        if (cluster, name) not in self.levels:
            return 0
        level, measured, _ = self.levels[cluster, name]
        more = [
            gain
            for (_, caller, what), (gain, on) in self.gains.items()
            if (caller, what) == (cluster, name) and on > measured
        ]
        return min(TOP, level + sum(more)) if more else level

    def speak(self, mentor: UUID, learner: UUID) -> bool:
        return mentor != learner and bool(self.clusters[mentor][0] & self.clusters[learner][0])

    def above(self, mentor: UUID, learner: UUID, name: str) -> bool:
        return self.level(mentor, name) > self.level(learner, name)

    def fits(self, mentor: UUID, learner: UUID) -> bool:
        """The mentor stands above the learner in something that this one needs or asks for."""
        needs = {
            what
            for (caller, what), (level, _) in self.targets.items()
            if caller == learner and level > self.level(caller, what)
        }
        needs |= {what for caller, what in self.requests.values() if caller == learner}
        return self.speak(mentor, learner) and any(self.above(mentor, learner, name) for name in needs)


class Matching:
    """Who should learn from whom."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.known = Known({}, {}, {}, {}, {})
        self.places: dict[tuple[UUID, str], Place] = {}
        self.drafts: dict[UUID, list[Found]] = {}
        self.made_from: dict[UUID, object] = {}
        self.published: set[UUID] = set()
        self.pairs: dict[UUID, Found] = {}

    # --- what it hears

    def hear(self, key: UUID, version: int, proposed: Mapping[UUID, list[Found]]) -> None:
        """An event has its effect; `proposed` are the pairs that are there, by the request that they answer."""
        kind, data = self._log.facts[key][version - 1]
        known = self.known
        if kind in {"registered", "changed"}:
            known.clusters[key] = (data["languages"], version)
        if kind in {"registered", "capacity"}:
            for side, limit in zip(SIDES, data["capacity"], strict=True):
                used = self.places[key, side].used if (key, side) in self.places else 0
                self.places[key, side] = Place(limit, used, max(limit, used), version)
        elif kind == "assessed":
            known.levels.update({(key, name): (*one, version) for name, one in data["levels"].items()})
        elif kind == "target":
            known.targets[key, data["indicator"]] = (data["level"], version)
        elif kind == "completed":
            known.gains.update({(key, *what): (gain, data["on"]) for what, gain in data["gains"].items()})
        elif kind == "requested":
            known.requests[data["request"]] = (key, data["indicator"])
            self._propose_for(key, data["indicator"], proposed.get(data["request"], []))

    def _propose_for(self, learner: UUID, name: str, found: Collection[Found]) -> None:
        able = [
            one
            for one in self.known.clusters
            if self._free(one, "mentor") and self.known.speak(one, learner) and self.known.above(one, learner, name)
        ]
        self._propose_some(found, {(one, learner) for one in able}, MOST)

    def _propose_some(self, found: Collection[Found], able: set[Couple], most: int) -> None:
        """Of all that can be proposed, as many as may be."""
        couples = able - self.live
        assert {one.couple for one in found} <= couples
        assert len(found) == min(most, len(couples))
        self._propose(found)

    def _propose(self, found: Iterable[Found]) -> None:
        for one in found:
            assert one.couple not in self.live, "a pair is live twice"
            self.pairs[one.id] = one._replace(state="proposed", events=1)
            self._log.put("proposed", one.id)

    @property
    def _lasting(self) -> list[Found]:
        """Pairs that wait or are agreed, and those that said no and rest."""
        return [one for one in self.pairs.values() if one.state != "withdrawn"]

    @property
    def live(self) -> set[Couple]:
        """Those that are not proposed again."""
        return {one.couple for one in self._lasting}

    @property
    def open(self) -> list[UUID]:
        """Pairs that wait for an answer."""
        return [one.id for one in self.pairs.values() if one.state == "proposed"]

    def _free(self, cluster: UUID, side: str) -> int:
        place = self.places[cluster, side]
        return max(0, place.capacity - place.used)

    # --- what it is asked

    def plan(self, id: UUID, found: Collection[Found]) -> Answer:
        """`found`: the draft's pairs, of which no more could be."""
        if not self.known.clusters:
            return "no-such-consortium"
        possible = {
            (mentor, learner)
            for mentor in self.known.clusters
            for learner in self.known.clusters
            if self.known.fits(mentor, learner)
        } - self.live
        taken = Counter(("mentor", one.mentor) for one in found) + Counter(("learner", one.learner) for one in found)
        left = {(side, one): self._free(one, side) - taken[side, one] for one in self.known.clusters for side in SIDES}
        chosen = {one.couple for one in found}

        def effect() -> None:
            assert len(chosen) == len(found)
            assert chosen <= possible
            assert min(left.values()) >= 0, "a plan over a capacity"
            more = [one for one in possible - chosen if left["mentor", one[0]] and left["learner", one[1]]]
            assert not more, "a plan that could have had more"
            self.drafts[id] = list(found)
            self.made_from[id] = self._inputs()

        return effect

    def _inputs(self) -> object:
        """What a plan is made from."""
        known = self.known
        return (
            {id: languages for id, (languages, _) in known.clusters.items()},
            {at: known.level(*at) for at in known.levels},
            {at: level for at, (level, _) in known.targets.items()},
            Counter(known.requests.values()),
            {at: place.capacity for at, place in self.places.items()},
            {(one.couple, one.state, one.state == "proposed" and one.request is None) for one in self._lasting},
        )

    def publish(self, id: UUID, seen: int) -> Answer:
        if seen != (3 if id in self.published else 2):
            return "stale"
        if id in self.published:
            return "already-published"
        if self.made_from[id] != self._inputs():
            return "inputs-changed"

        def effect() -> None:
            self.published.add(id)
            self._log.put("run", id)
            self._propose(self.drafts[id])

        return effect

    def answer(self, id: UUID, side: str, seen: int, found: Collection[Found] = (), *, accepts: bool) -> Answer:
        """`found`: what is proposed in place of one that is declined."""
        pair = self.pairs[id]
        if pair.state != "proposed":
            return "already-decided"
        said = {"mentor": pair.mentor_answer, "learner": pair.learner_answer}
        if said[side] is not None:
            return "already-answered"
        if seen != pair.version:
            return "stale"
        said[side] = "accepted" if accepts else "declined"
        both = set(said.values()) == {"accepted"}
        if both and not (self._free(pair.mentor, "mentor") and self._free(pair.learner, "learner")):
            return "no-free-place"

        def effect() -> None:
            self.pairs[id] = pair._replace(
                mentor_answer=said["mentor"], learner_answer=said["learner"], version=pair.version + 1
            )
            if both:
                self._end(id, "accepted")
                self._take(pair)
            elif not accepts:
                self._end(id, "declined")
                self._propose_some(found, set(self._instead(pair)), 1)

        return effect

    def _end(self, id: UUID, state: str) -> None:
        self.pairs[id] = self.pairs[id]._replace(state=state, events=self.pairs[id].events + 1)
        self._log.put(state, id)

    def _take(self, pair: Found) -> None:
        """A place on both sides; what waits for a place that is gone, or answers the same request, is taken back."""
        for cluster, side in ((pair.mentor, "mentor"), (pair.learner, "learner")):
            place = self.places[cluster, side]
            self.places[cluster, side] = place._replace(used=place.used + 1)
        for id in self.open:
            other = self.pairs[id]
            met = pair.request is not None and other.request == pair.request
            full = [
                cluster == getattr(other, side) and not self._free(cluster, side)
                for cluster, side in ((pair.mentor, "mentor"), (pair.learner, "learner"))
            ]
            if met or any(full):
                self.pairs[id] = other._replace(version=other.version + 1)
                self._end(id, "withdrawn")

    def _instead(self, pair: Found) -> Iterable[Couple]:
        """Those of whom one is proposed in place of a pair that said no."""
        known, learner = self.known, pair.learner
        if pair.request is not None:
            name = known.requests[pair.request][1]
            met = any(one.request == pair.request and one.state == "accepted" for one in self.pairs.values())
            able = () if met else (one for one in known.clusters if self._free(one, "mentor"))
            return [(one, learner) for one in able if known.speak(one, learner) and known.above(one, learner, name)]
        waits = [self.pairs[id] for id in self.open if self.pairs[id].request is None]
        taken = Counter(("mentor", one.mentor) for one in waits) + Counter(("learner", one.learner) for one in waits)
        if self._free(learner, "learner") <= taken["learner", learner]:
            return []
        free = (one for one in known.clusters if self._free(one, "mentor") > taken["mentor", one])
        return [(one, learner) for one in free if known.fits(one, learner)]
