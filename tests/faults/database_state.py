"""The contents of the databases in a history, in the form of the model and the checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.faults.checks import Event, Findings, examine, swaps, total
from tests.faults.model import Log, Trainings
from tests.faults.model_matching import Matching, PairRow, SlotsRow
from tests.faults.simulation import CONSUMERS, ServiceSimulation

_PAIRS = """
    SELECT id, run_id, request_id, mentor_id, learner_id, state, mentor_answer, learner_answer, version, events
    FROM pair
"""
_PLACES = "SELECT cluster_id, role, capacity, used, ceiling, version FROM slots"
_WRITTEN = "SELECT id, key, version, type FROM outbox ORDER BY seq"
_POSITIONS = "SELECT position - $1 FROM outbox WHERE position IS NOT NULL ORDER BY position"
_INBOX = "SELECT state, count(*) FROM inbox GROUP BY state"
KINDS = {
    "registered": "members.cluster.registered",
    "changed": "members.cluster.changed",
    "capacity": "members.capacity.changed",
    "assessed": "members.assessment.recorded",
    "target": "members.target.set",
    "requested": "members.service.requested",
    "published": "trainings.training.published",
    "confirmed": "trainings.registration.confirmed",
    "waitlisted": "trainings.registration.waitlisted",
    "completed": "trainings.training.completed",
    "run": "matching.run.published",
    "proposed": "matching.pair.proposed",
    "accepted": "matching.pair.accepted",
    "declined": "matching.pair.declined",
    "withdrawn": "matching.pair.withdrawn",
}
"""Event types by the model's names."""


@dataclass(frozen=True)
class HistoryResult:
    """The result of one history."""

    acked: int
    seen: int
    raw_dup: int
    findings: Findings


class DatabaseState:
    """The state of the databases in one history."""

    def __init__(self, simulation: ServiceSimulation, log: Log, matching: Matching) -> None:
        self._simulation, self._log, self._matching = simulation, log, matching
        self.acked: set[tuple[UUID, int]] = set()
        self.pairs: dict[UUID, PairRow] = {}
        self.places: dict[tuple[UUID, str], SlotsRow] = {}
        self._seen: dict[str, list[Event]] = {name: [] for name in CONSUMERS}

    async def _fetch(self, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        return [
            tuple(_plain(value) for value in row)
            for row in await self._simulation.connections[service].fetch(query, *values)
        ]

    async def refresh(self) -> None:
        """Read the pairs that are no drafts, and the slots."""
        pairs = [PairRow(*row) for row in await self._fetch("matching", _PAIRS + " WHERE state <> 'draft'")]
        self.pairs = {pair.id: pair for pair in pairs}
        self.places = {row[:2]: SlotsRow(*row[2:]) for row in await self._fetch("matching", _PLACES)}

    async def draft_pairs(self, run: UUID) -> list[PairRow]:
        """The pairs of a draft plan."""
        return _sorted(PairRow(*row) for row in await self._fetch("matching", _PAIRS + " WHERE run_id = $1", run))

    async def unknown_pairs(self) -> list[PairRow]:
        """The proposed pairs that the model does not know."""
        await self.refresh()
        return [pair for pair in _sorted(self.pairs.values()) if pair.id not in self._matching.pairs]

    async def apply_effects(self, trainings: Trainings) -> None:
        """Apply the events that were handled since the last call to the model, in the order of their effects."""
        effects = await self._simulation.seen("trainings")
        self._seen["trainings"] += effects
        for event in effects:
            trainings.known.add(event.key)
        effects = await self._simulation.seen("matching")
        self._seen["matching"] += effects
        proposed: dict[UUID, list[PairRow]] = {}
        for pair in await self.unknown_pairs():
            if pair.request is not None:
                proposed.setdefault(pair.request, []).append(pair)
        for event in effects:
            self._matching.apply_event(event.key, event.version, proposed)

    async def close(self) -> HistoryResult:
        """Compare everything with the model and count."""
        await self._compare()
        written = {name: await self._fetch(name, _WRITTEN) for name in self._simulation.databases}
        appended = {(key, version, type) for rows in written.values() for _, key, version, type in rows}
        facts = {
            (key, version, f"kei.{KINDS[fact.kind]}.v1")
            for key, known in self._log.facts.items()
            for version, fact in enumerate(known, 1)
        }
        assert appended == facts
        events = {name: [Event(*row[:3]) for row in rows] for name, rows in written.items()}
        assert swaps(events["matching"]) == 0
        findings = total([await self._examine(source, sink, events) for source, sink in _ROUTES])
        assert not findings.broken
        for name in CONSUMERS:
            assert {state for state, _ in await self._fetch(name, _INBOX)} <= {"done"}
        stored = [sum(count for _, count in await self._fetch(name, _INBOX)) for name in CONSUMERS]
        return HistoryResult(
            acked=len(self.acked),
            seen=sum(map(len, self._seen.values())),
            raw_dup=self._simulation.transport.records - sum(stored),
            findings=findings,
        )

    async def _examine(self, source: str, sink: str, events: dict[str, list[Event]]) -> Findings:
        ids = {(event.key, event.version): event.id for event in events[source]}
        keys = {event.key for event in events[source]}
        acked = [ids.get(write) or uuid4() for write in self.acked if write[0] in keys]
        seen = [event for event in self._seen[sink] if event.key in keys]
        positions = await self._fetch(source, _POSITIONS, self._simulation.base[source])
        return examine(acked, events[source], seen, [row[0] for row in positions])

    async def _compare(self) -> None:
        known = self._matching.known
        rows = await self._fetch("matching", "SELECT id, languages, version FROM cluster")
        assert {id: (frozenset(spoken), version) for id, spoken, version in rows} == known.clusters
        rows = await self._fetch("matching", "SELECT cluster_id, indicator, level, assessed_on, version FROM level")
        assert {row[:2]: row[2:] for row in rows} == known.levels
        rows = await self._fetch("matching", "SELECT cluster_id, indicator, level, version FROM target")
        assert {row[:2]: row[2:] for row in rows} == known.targets
        rows = await self._fetch("matching", "SELECT id, cluster_id, indicator FROM request")
        assert {row[0]: row[1:] for row in rows} == known.requests
        rows = await self._fetch("matching", "SELECT activity_id, cluster_id, indicator, gain, ended_on FROM gain")
        assert {row[:3]: row[3:] for row in rows} == known.gains


_ROUTES = (("members", "matching"), ("members", "trainings"), ("trainings", "matching"))


def _plain(value: Any) -> Any:  # noqa: ANN401  a value of any column
    return UUID(int=value.int) if isinstance(value, UUID) else value


def _sorted(pairs: Iterable[PairRow]) -> list[PairRow]:
    """Sorted by mentor and learner, since the ids differ each time a history runs."""
    return sorted(pairs, key=lambda pair: pair.couple)
