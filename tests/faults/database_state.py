"""What the databases hold after a history, as the model and the checkers take it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.faults.checks import Event, Findings, examine, swaps, total
from tests.faults.model import Log, Trainings
from tests.faults.model_matching import Found, Matching, Place
from tests.faults.simulation import CONSUMERS, Trio

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
"""Types of events by the model's words for them."""


@dataclass(frozen=True)
class Account:
    """What became of one history."""

    acked: int
    seen: int
    raw_dup: int
    findings: Findings


class Ledger:
    """Of one history."""

    def __init__(self, trio: Trio, log: Log, matching: Matching) -> None:
        self._trio, self._log, self._matching = trio, log, matching
        self.acked: set[tuple[UUID, int]] = set()
        self.pairs: dict[UUID, Found] = {}
        self.places: dict[tuple[UUID, str], Place] = {}
        self._seen: dict[str, list[Event]] = {name: [] for name in CONSUMERS}

    async def _fetch(self, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        return [tuple(_plain(value) for value in row) for row in await self._trio.looks[service].fetch(query, *values)]

    async def look(self) -> None:
        """The pairs that were proposed and the places, as they are now."""
        found = [Found(*row) for row in await self._fetch("matching", _PAIRS + " WHERE state <> 'draft'")]
        self.pairs = {one.id: one for one in found}
        self.places = {row[:2]: Place(*row[2:]) for row in await self._fetch("matching", _PLACES)}

    async def drafted(self, run: UUID) -> list[Found]:
        """The pairs of a draft."""
        return _sorted(Found(*row) for row in await self._fetch("matching", _PAIRS + " WHERE run_id = $1", run))

    async def unheard(self) -> list[Found]:
        """The pairs that were proposed and that the model does not know of."""
        await self.look()
        return [pair for pair in _sorted(self.pairs.values()) if pair.id not in self._matching.pairs]

    async def hear(self, trainings: Trainings) -> None:
        """Tell the model which events have had their effect since, in the order of their effects."""
        heard = await self._trio.seen("trainings")
        self._seen["trainings"] += heard
        for event in heard:
            trainings.known.add(event.key)
        heard = await self._trio.seen("matching")
        self._seen["matching"] += heard
        proposed: dict[UUID, list[Found]] = {}
        for pair in await self.unheard():
            if pair.request is not None:
                proposed.setdefault(pair.request, []).append(pair)
        for event in heard:
            self._matching.hear(event.key, event.version, proposed)

    async def close(self) -> Account:
        """Hold everything against the model, and count."""
        await self._compare()
        written = {name: await self._fetch(name, _WRITTEN) for name in self._trio.databases}
        put = {(key, version, type) for rows in written.values() for _, key, version, type in rows}
        facts = {
            (key, version, f"kei.{KINDS[fact.kind]}.v1")
            for key, known in self._log.facts.items()
            for version, fact in enumerate(known, 1)
        }
        assert put == facts
        events = {name: [Event(*row[:3]) for row in rows] for name, rows in written.items()}
        assert swaps(events["matching"]) == 0
        findings = total([await self._examined(source, sink, events) for source, sink in _WAYS])
        assert not findings.broken
        for name in CONSUMERS:
            assert {state for state, _ in await self._fetch(name, _INBOX)} <= {"done"}
        kept = [sum(count for _, count in await self._fetch(name, _INBOX)) for name in CONSUMERS]
        return Account(
            acked=len(self.acked),
            seen=sum(map(len, self._seen.values())),
            raw_dup=self._trio.transport.records - sum(kept),
            findings=findings,
        )

    async def _examined(self, source: str, sink: str, events: dict[str, list[Event]]) -> Findings:
        ids = {(one.key, one.version): one.id for one in events[source]}
        keys = {one.key for one in events[source]}
        acked = [ids.get(one) or uuid4() for one in self.acked if one[0] in keys]
        seen = [one for one in self._seen[sink] if one.key in keys]
        positions = await self._fetch(source, _POSITIONS, self._trio.base[source])
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


_WAYS = (("members", "matching"), ("members", "trainings"), ("trainings", "matching"))


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    return UUID(int=value.int) if isinstance(value, UUID) else value


def _sorted(pairs: Iterable[Found]) -> list[Found]:
    """In an order that does not depend on ids, which are new each time a history is played."""
    return sorted(pairs, key=lambda one: one.couple)
