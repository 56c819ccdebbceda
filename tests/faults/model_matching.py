"""The model of matching in plain dicts: projection, proposals and replies. The second half of test_model.py's oracle.

The model does not decide which possible pairs are the best; tests/rules and test_optimum.py cover that.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from tests.faults.model import TOP, Answer, Log

MAX_MENTORS_PER_REQUEST = 3
"""Mentors proposed for one request."""
SIDES = ("mentor", "learner")
Couple = tuple[UUID, UUID]
"""A mentor and a learner."""


class PairRow(NamedTuple):
    """A pair as matching stores it."""

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


class SlotsRow(NamedTuple):
    """The capacity of a cluster in a role, and the slots that accepted pairs use."""

    capacity: int
    used: int
    ceiling: int
    version: int


@dataclass(frozen=True)
class Known:
    """The projection of events, with the version of each source event."""

    clusters: dict[UUID, tuple[frozenset[str], int]]
    levels: dict[tuple[UUID, str], tuple[int, date, int]]
    targets: dict[tuple[UUID, str], tuple[int, int]]
    requests: dict[UUID, tuple[UUID, str]]
    gains: dict[tuple[UUID, UUID, str], tuple[int, date]]

    def level(self, cluster: UUID, name: str) -> int:
        """The measured level plus the gains of later activities."""
        if (cluster, name) not in self.levels:
            return 0
        level, measured, _ = self.levels[cluster, name]
        more = [
            gain
            for (_, caller, what), (gain, on) in self.gains.items()
            if (caller, what) == (cluster, name) and on > measured
        ]
        return min(TOP, level + sum(more)) if more else level

    def share_a_language(self, mentor: UUID, learner: UUID) -> bool:
        return mentor != learner and bool(self.clusters[mentor][0] & self.clusters[learner][0])

    def is_above(self, mentor: UUID, learner: UUID, name: str) -> bool:
        return self.level(mentor, name) > self.level(learner, name)

    def fits(self, mentor: UUID, learner: UUID) -> bool:
        """Whether the mentor is above the learner in an indicator that the learner needs or requests."""
        needs = {
            what
            for (caller, what), (level, _) in self.targets.items()
            if caller == learner and level > self.level(caller, what)
        }
        needs |= {what for caller, what in self.requests.values() if caller == learner}
        return self.share_a_language(mentor, learner) and any(self.is_above(mentor, learner, name) for name in needs)


class Matching:
    """The model of matching."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.known = Known({}, {}, {}, {}, {})
        self.places: dict[tuple[UUID, str], SlotsRow] = {}
        self.drafts: dict[UUID, list[PairRow]] = {}
        self.made_from: dict[UUID, object] = {}
        self.published: set[UUID] = set()
        self.pairs: dict[UUID, PairRow] = {}

    # --- events

    def apply_event(self, key: UUID, version: int, proposed: Mapping[UUID, list[PairRow]]) -> None:
        """Apply an event; `proposed` are the pairs in the database, by the service request that they answer."""
        kind, data = self._log.facts[key][version - 1]
        known = self.known
        if kind in {"registered", "changed"}:
            known.clusters[key] = (data["languages"], version)
        if kind in {"registered", "capacity"}:
            for side, limit in zip(SIDES, data["capacity"], strict=True):
                used = self.places[key, side].used if (key, side) in self.places else 0
                self.places[key, side] = SlotsRow(limit, used, max(limit, used), version)
        elif kind == "assessed":
            known.levels.update({(key, name): (*level, version) for name, level in data["levels"].items()})
        elif kind == "target":
            known.targets[key, data["indicator"]] = (data["level"], version)
        elif kind == "completed":
            known.gains.update({(key, *what): (gain, data["on"]) for what, gain in data["gains"].items()})
        elif kind == "requested":
            known.requests[data["request"]] = (key, data["indicator"])
            self._propose_for(key, data["indicator"], proposed.get(data["request"], []))

    def _propose_for(self, learner: UUID, name: str, new_pairs: Collection[PairRow]) -> None:
        able = [
            cluster
            for cluster in self.known.clusters
            if self._free(cluster, "mentor")
            and self.known.share_a_language(cluster, learner)
            and self.known.is_above(cluster, learner, name)
        ]
        self._propose_best(new_pairs, {(mentor, learner) for mentor in able}, MAX_MENTORS_PER_REQUEST)

    def _propose_best(self, new_pairs: Collection[PairRow], able: set[Couple], limit: int) -> None:
        """Expect as many proposals as possible, up to `limit`."""
        couples = able - self.live
        assert {pair.couple for pair in new_pairs} <= couples
        assert len(new_pairs) == min(limit, len(couples))
        self._propose(new_pairs)

    def _propose(self, new_pairs: Iterable[PairRow]) -> None:
        for pair in new_pairs:
            assert pair.couple not in self.live, "a pair is live twice"
            self.pairs[pair.id] = pair._replace(state="proposed", events=1)
            self._log.put("proposed", pair.id)

    @property
    def _lasting(self) -> list[PairRow]:
        """Proposed, accepted and declined pairs."""
        return [pair for pair in self.pairs.values() if pair.state != "withdrawn"]

    @property
    def live(self) -> set[Couple]:
        """Mentors and learners that must not be proposed again."""
        return {pair.couple for pair in self._lasting}

    @property
    def open(self) -> list[UUID]:
        """Ids of pairs that wait for a reply."""
        return [pair.id for pair in self.pairs.values() if pair.state == "proposed"]

    def _free(self, cluster: UUID, side: str) -> int:
        slots = self.places[cluster, side]
        return max(0, slots.capacity - slots.used)

    # --- commands

    def plan(self, id: UUID, new_pairs: Collection[PairRow]) -> Answer:
        """`new_pairs`: the pairs of the draft; their number must be maximal."""
        if not self.known.clusters:
            return "no-such-consortium"
        possible = {
            (mentor, learner)
            for mentor in self.known.clusters
            for learner in self.known.clusters
            if self.known.fits(mentor, learner)
        } - self.live
        taken = Counter(("mentor", pair.mentor) for pair in new_pairs) + Counter(
            ("learner", pair.learner) for pair in new_pairs
        )
        free_slots = {
            (side, cluster): self._free(cluster, side) - taken[side, cluster]
            for cluster in self.known.clusters
            for side in SIDES
        }
        chosen = {pair.couple for pair in new_pairs}

        def effect() -> None:
            assert len(chosen) == len(new_pairs)
            assert chosen <= possible
            assert min(free_slots.values()) >= 0, "a plan over a capacity"
            more = [
                pair for pair in possible - chosen if free_slots["mentor", pair[0]] and free_slots["learner", pair[1]]
            ]
            assert not more, "a plan that could have had more"
            self.drafts[id] = list(new_pairs)
            self.made_from[id] = self._inputs()

        return effect

    def _inputs(self) -> object:
        """The inputs of a plan."""
        known = self.known
        return (
            {id: languages for id, (languages, _) in known.clusters.items()},
            {at: known.level(*at) for at in known.levels},
            {at: level for at, (level, _) in known.targets.items()},
            Counter(known.requests.values()),
            {at: slots.capacity for at, slots in self.places.items()},
            {(pair.couple, pair.state, pair.state == "proposed" and pair.request is None) for pair in self._lasting},
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

    def answer(self, id: UUID, side: str, seen: int, new_pairs: Collection[PairRow] = (), *, accepts: bool) -> Answer:
        """`new_pairs`: the proposal that replaces a declined one."""
        pair = self.pairs[id]
        if pair.state != "proposed":
            return "already-decided"
        replies = {"mentor": pair.mentor_answer, "learner": pair.learner_answer}
        if replies[side] is not None:
            return "already-answered"
        if seen != pair.version:
            return "stale"
        replies[side] = "accepted" if accepts else "declined"
        both = set(replies.values()) == {"accepted"}
        if both and not (self._free(pair.mentor, "mentor") and self._free(pair.learner, "learner")):
            return "no-free-place"

        def effect() -> None:
            self.pairs[id] = pair._replace(
                mentor_answer=replies["mentor"], learner_answer=replies["learner"], version=pair.version + 1
            )
            if both:
                self._end(id, "accepted")
                self._take(pair)
            elif not accepts:
                self._end(id, "declined")
                self._propose_best(new_pairs, set(self._substitutes(pair)), 1)

        return effect

    def _end(self, id: UUID, state: str) -> None:
        self.pairs[id] = self.pairs[id]._replace(state=state, events=self.pairs[id].events + 1)
        self._log.put(state, id)

    def _take(self, pair: PairRow) -> None:
        """Use a slot of both clusters; withdraw open pairs without a free slot or for the same service request."""
        for cluster, side in ((pair.mentor, "mentor"), (pair.learner, "learner")):
            slots = self.places[cluster, side]
            self.places[cluster, side] = slots._replace(used=slots.used + 1)
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

    def _substitutes(self, pair: PairRow) -> Iterable[Couple]:
        """The candidates of which one replaces a declined pair."""
        known, learner = self.known, pair.learner
        if pair.request is not None:
            name = known.requests[pair.request][1]
            met = any(other.request == pair.request and other.state == "accepted" for other in self.pairs.values())
            able = () if met else (cluster for cluster in known.clusters if self._free(cluster, "mentor"))
            return [
                (mentor, learner)
                for mentor in able
                if known.share_a_language(mentor, learner) and known.is_above(mentor, learner, name)
            ]
        open_pairs = [self.pairs[id] for id in self.open if self.pairs[id].request is None]
        taken = Counter(("mentor", other.mentor) for other in open_pairs) + Counter(
            ("learner", other.learner) for other in open_pairs
        )
        if self._free(learner, "learner") <= taken["learner", learner]:
            return []
        free = (cluster for cluster in known.clusters if self._free(cluster, "mentor") > taken["mentor", cluster])
        return [(mentor, learner) for mentor in free if known.fits(mentor, learner)]
