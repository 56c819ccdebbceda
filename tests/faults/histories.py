"""Histories of three services, drawn by Hypothesis and compared with a model after each step."""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.matching.rules.inputs.criteria import Role
from shared.failpoints import Failpoint
from tests.faults import commands
from tests.faults.checks import Findings, over_capacity, total
from tests.faults.commands import INDICATORS, TODAY
from tests.faults.database_state import DatabaseState, HistoryResult
from tests.faults.model import Answer, Log, Members, Trainings
from tests.faults.model_matching import Matching
from tests.faults.simulation import CRASHED, DONE, LATE, POINTS, ServiceSimulation, Work

T = TypeVar("T")
ANY = st.integers(0, 11)
TWO_LEVELS = st.lists(st.integers(0, 2), min_size=2, max_size=2)
NEWEST = st.integers(0, 2)
SOME_TIME = st.integers(1, 8)
CAPACITY = st.tuples(st.integers(0, 2), st.integers(0, 2))
LANGUAGES = st.sampled_from([frozenset({"en"}), frozenset({"en", "hu"}), frozenset({"hu"})])
SCORES = st.dictionaries(st.sampled_from(INDICATORS), st.sampled_from([*range(6), 6]), min_size=1)
GAINS = st.dictionaries(st.sampled_from(INDICATORS), st.integers(1, 2), min_size=1)
SEEN = st.sampled_from([0, 0, 0, 0, 1])
"""By how much the expected version of a caller is behind."""
MOST = 8
"""Maximum number of clusters in a history."""
MOSTLY = st.sampled_from([True, True, True, False])


NOTHING = Findings(0, 0, 0, 0, 0)


def pick(options: Sequence[T], number: int) -> T:
    return options[number % len(options)]


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@dataclass
class Tally:
    """Totals over all histories."""

    steps: int = 0
    disturbances: int = 0
    acked: int = 0
    seen: int = 0
    raw_dup: int = 0
    drain: float = 0.0
    """The longest time in seconds to handle the remaining events of a history."""
    findings: Findings = NOTHING
    outcomes: Counter[str] = field(default_factory=Counter)
    appended: Counter[str] = field(default_factory=Counter)

    def add(self, result: HistoryResult) -> None:
        """Add the result of a history."""
        self.acked += result.acked
        self.seen += result.seen
        self.raw_dup += result.raw_dup
        self.findings = total([self.findings, result.findings])


class Histories(RuleBasedStateMachine):
    """One history: commands, deliveries and handlers are real; the model has the expected result."""

    def __init__(self, runner: asyncio.Runner, simulation: ServiceSimulation, tally: Tally) -> None:
        super().__init__()
        self._runner, self._simulation, self._tally = runner, simulation, tally
        self.log = Log()
        self.members, self.trainings, self.matching = Members(self.log), Trainings(self.log), Matching(self.log)
        self.database_state = DatabaseState(simulation, self.log, self.matching)
        self.held: dict[UUID, int] = {}
        self._numbers = itertools.count(1)
        self._pace, self._age = 1, 0
        self._await(simulation.clear())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _new(self) -> UUID:
        return UUID(int=next(self._numbers))

    def _do(self, service: str, answer: Answer, work: Work) -> None:
        """Run a command and compare its outcome with the model's."""
        self._settle(answer, self._await(self._simulation.attempt(service, work)))

    def _settle(self, answer: Answer, outcome: str) -> None:
        self._tally.outcomes[outcome] += 1
        if outcome == CRASHED:
            return
        if isinstance(answer, str):
            assert outcome == answer
            return
        assert outcome in {DONE, LATE}
        self.log.newest.clear()
        answer()
        self._tally.appended.update(self.log.facts[key][version - 1].kind for key, version in self.log.newest)
        if outcome == DONE:
            self.database_state.acked |= set(self.log.newest)

    # --- members

    @initialize(strong=TWO_LEVELS, weak=TWO_LEVELS, capacity=st.integers(1, 2), pace=st.integers(1, 6))
    def four_have_joined(self, strong: list[int], weak: list[int], capacity: int, pace: int) -> None:
        """`pace`: events are delivered after each `pace` steps."""
        self._pace = pace
        for number, level in enumerate([*(3 + level for level in strong), *weak]):
            self.register(number, frozenset({"en"}), (capacity, capacity))
            self.assess(number, "expert", 5, dict.fromkeys(INDICATORS, level), lasts=True)
            self.aim(number, INDICATORS[0], 5)

    @precondition(lambda self: len(self.members.clusters) < MOST)
    @rule(slug=st.integers(0, 7), languages=LANGUAGES, capacity=CAPACITY)
    def register(self, slug: int, languages: frozenset[str], capacity: tuple[int, int]) -> None:
        id, name = self._new(), f"c{slug}"
        answer = self.members.register(id, name, languages, capacity)
        self._do("members", answer, commands.register(id, name, languages, capacity))

    def _cluster(self, number: int) -> UUID:
        return pick(list(self.members.clusters), number)

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, languages=LANGUAGES, late=SEEN)
    def change(self, number: int, languages: frozenset[str], late: int) -> None:
        id = self._cluster(number)
        seen = self.members.version(id) - late
        answer = self.members.change(id, seen, languages)
        self._do("members", answer, commands.change(id, seen, self.members.clusters[id], languages))

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, capacity=CAPACITY, late=SEEN)
    def set_capacity(self, number: int, capacity: tuple[int, int], late: int) -> None:
        id = self._cluster(number)
        seen = self.members.version(id) - late
        answer = self.members.set_capacity(id, seen, capacity)
        self._do("members", answer, commands.set_capacity(id, seen, capacity))

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, kind=st.sampled_from(["self", "expert"]), days=st.integers(1, 5), scores=SCORES, lasts=MOSTLY)
    def assess(self, number: int, kind: str, days: int, scores: dict[str, int], *, lasts: bool) -> None:
        id = self._cluster(number)
        answer = self.members.assess(id, kind, ago(days), scores, lasts=lasts)
        self._do("members", answer, commands.assess(self._new(), id, kind, ago(days), scores, lasts=lasts))

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, indicator=st.sampled_from(INDICATORS), level=st.sampled_from([*range(1, 7)]))
    def aim(self, number: int, indicator: str, level: int) -> None:
        id = self._cluster(number)
        self._do("members", self.members.aim(id, indicator, level), commands.aim(id, indicator, level))

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, indicator=st.sampled_from(INDICATORS))
    def request(self, number: int, indicator: str) -> None:
        id, cluster = self._new(), self._cluster(number)
        self._do("members", self.members.request(id, cluster, indicator), commands.request(id, cluster, indicator))

    # --- trainings

    @precondition(lambda self: self.members.clusters)
    @rule(number=ANY, days=st.integers(0, 5), seats=st.integers(1, 3), teaches=GAINS, guests=st.lists(ANY, max_size=2))
    def plan_training(self, number: int, days: int, seats: int, teaches: dict[str, int], guests: list[int]) -> None:
        id, host = self._new(), self._cluster(number)
        answer = self.trainings.plan(id, host, ago(days), seats, teaches)
        self._do("trainings", answer, commands.plan_training(id, host, ago(days), seats, teaches))
        if id in self.trainings.activities:
            self.enrol(0, guests, 1)

    def _activity(self, number: int) -> UUID:
        return pick(list(self.trainings.activities)[::-1], number)

    @precondition(lambda self: self.trainings.activities)
    @rule(activity=NEWEST, numbers=st.lists(ANY, min_size=1, max_size=3), seats=st.sampled_from([1, 1, 2, 4]))
    def enrol(self, activity: int, numbers: list[int], seats: int) -> None:
        id = self._activity(activity)
        for cluster in map(self._cluster, numbers):
            answer = self.trainings.enrol(id, cluster, seats)
            self._do("trainings", answer, commands.enrol(self._new(), id, cluster, seats))

    @precondition(lambda self: self.trainings.activities)
    @rule(activity=NEWEST, absent=st.integers(0, 3))
    def finish(self, activity: int, absent: int) -> None:
        id = self._activity(activity)
        activity_state = self.trainings.activities[id]
        present, absent_clusters = activity_state.seated[absent:], activity_state.seated[:absent]
        self._do(
            "trainings",
            self.trainings.finish(id, set(present)),
            commands.finish(id, activity_state.version, present, absent_clusters),
        )

    # --- matching

    @rule(at_once=st.booleans())
    def plan(self, *, at_once: bool) -> None:
        """Make a draft, which is published `at_once` or later."""
        id = self._new()
        outcome = self._await(self._simulation.attempt("matching", commands.plan(id)))
        self._settle(self.matching.plan(id, self._await(self.database_state.draft_pairs(id))), outcome)
        if at_once and id in self.matching.drafts:
            self.publish(0, 0)

    @precondition(lambda self: self.matching.drafts)
    @rule(number=NEWEST, late=SEEN)
    def publish(self, number: int, late: int) -> None:
        id = pick(list(self.matching.drafts)[::-1], number)
        seen = 2 + (id in self.matching.published) - late
        self._do("matching", self.matching.publish(id, seen), commands.publish(id, seen))

    @precondition(lambda self: self.matching.pairs)
    @rule(number=ANY, side=st.sampled_from(["mentor", "learner"]), late=SEEN, accepts=MOSTLY)
    def answer(self, number: int, side: Role, late: int, *, accepts: bool) -> None:
        id = pick(list(self.matching.pairs), number)
        seen = self.matching.pairs[id].version - late
        outcome = self._await(self._simulation.attempt("matching", commands.answer(id, side, seen, accepts=accepts)))
        new_pairs = self._await(self.database_state.unknown_pairs())
        self._settle(self.matching.answer(id, side, seen, new_pairs, accepts=accepts), outcome)

    @precondition(lambda self: self.matching.open)
    @rule(number=ANY)
    def agree(self, number: int) -> None:
        """Accept for each side that has not replied."""
        id = pick(self.matching.open, number)
        roles: tuple[Role, ...] = ("mentor", "learner")
        for side in roles:
            pair = self.matching.pairs[id]
            if getattr(pair, f"{side}_answer") is None:
                answer = self.matching.answer(id, side, pair.version, accepts=True)
                self._do("matching", answer, commands.answer(id, side, pair.version, accepts=True))

    # --- delivery of events

    @rule()
    def move(self) -> None:
        """Deliver and handle all events that are not held back."""
        self._await(self._simulation.deliver_all(self.held))
        self._await(self.database_state.apply_effects(self.trainings))

    @precondition(lambda self: self.log.facts)
    @rule(number=ANY, steps=SOME_TIME)
    def delay(self, number: int, steps: int) -> None:
        """Hold back the events of one key while others are delivered."""
        self.held[pick(list(self.log.facts), number)] = steps
        self._tally.disturbances += 1

    @precondition(lambda self: self._simulation.transport.delivered)
    @rule(number=st.integers(0, 99))
    def duplicate(self, number: int) -> None:
        self._await(self._simulation.redeliver(number))
        self._tally.disturbances += 1

    @rule(point=st.sampled_from(POINTS))
    def crash(self, point: Failpoint) -> None:
        """The next process that reaches this failpoint dies there."""
        self._simulation.armed.add(point)

    # --- invariants after each step

    @invariant()
    def matching_is_as_the_model_says(self) -> None:
        self._tally.steps += 1
        self._age += 1
        if self._age % self._pace == 0:
            self.move()
        self.held = {key: steps - 1 for key, steps in self.held.items() if steps > 1}
        decided = {id for id, pair in self.database_state.pairs.items() if pair.state != "proposed"}
        decided_before = {id: self.database_state.pairs[id] for id in decided}
        self._await(self.database_state.refresh())
        pairs, places = self.database_state.pairs, self.database_state.places
        assert {id: pairs.get(id) for id in decided} == decided_before, "a decided pair has changed"
        live = [pair.couple for pair in pairs.values() if pair.state in {"proposed", "accepted"}]
        assert len(live) == len(set(live)), "a pair is live twice"
        assert over_capacity((place.used, place.ceiling) for place in places.values()) == 0
        assert places == self.matching.places
        assert pairs == self.matching.pairs

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None:
            return
        self.held.clear()
        started = time.monotonic()
        self.move()
        self._tally.drain = max(self._tally.drain, time.monotonic() - started)
        self.matching_is_as_the_model_says()
        self._tally.add(self._await(self.database_state.close()))
        self._simulation.settled = True
