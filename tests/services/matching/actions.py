"""Events of other services, and actions of callers: with an operator's rights by default."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.auth import Role
from shared.events.envelope import Stored
from shared.events.members import AssessmentRecorded, CapacityChanged, IndicatorLevel, TargetSet
from shared.events.trainings import ClusterGain, TrainingCompleted
from shared.transport import Transport
from tests.support import factories
from tests.support.waiting import eventually

SOLVE_DEADLINE = 25.0
"""Seconds. The solver runs at low priority: on a machine with other work it may have to wait."""

OPERATOR = factories.signed_in(Role.operator)
FRAMEWORK = "self-check"
NO_FREEZE = {"rules": {"freeze_days": 0}}
"""Criteria by which a declined pair may be proposed again at once."""
SPRING = date(2017, 3, 1)
Json = dict[str, Any]


# --- events of other services


def capacity_changed(cluster: UUID, version: int, mentor: int, learner: int) -> Stored:
    data = CapacityChanged(
        cluster_id=cluster, consortium_id=factories.CONSORTIUM, mentor_capacity=mentor, learner_capacity=learner
    )
    return factories.stored(data, version)


def assessed(cluster: UUID, version: int, levels: Mapping[str, int], on: date = SPRING) -> Stored:
    current = [
        IndicatorLevel(indicator=indicator, level=level, kind="expert", assessed_on=on)
        for indicator, level in levels.items()
    ]
    data = AssessmentRecorded(
        cluster_id=cluster,
        consortium_id=factories.CONSORTIUM,
        assessment_id=uuid4(),
        framework=FRAMEWORK,
        kind="expert",
        assessed_on=on,
        valid_until=on.replace(year=on.year + 2),
        scale_max=5,
        scores=dict(levels),
        levels=current,
    )
    return factories.stored(data, version)


def target_set(cluster: UUID, version: int, indicator: str, level: int, priority: int = 3) -> Stored:
    data = TargetSet(
        cluster_id=cluster,
        consortium_id=factories.CONSORTIUM,
        framework=FRAMEWORK,
        indicator=indicator,
        level=level,
        priority=priority,
    )
    return factories.stored(data, version)


def requested(cluster: UUID, version: int, indicator: str = "foresight", **other: Any) -> Stored:
    return factories.stored(factories.service_requested(cluster_id=cluster, indicator=indicator, **other), version)


def completed(
    gains: Mapping[UUID, Mapping[str, int]], ended_on: date = date(2017, 6, 29), host: UUID | None = None
) -> Stored:
    listed = [
        ClusterGain(cluster_id=cluster, framework=FRAMEWORK, indicator=indicator, gain=gain)
        for cluster, by_indicator in gains.items()
        for indicator, gain in by_indicator.items()
    ]
    data = TrainingCompleted(
        activity_id=uuid4(),
        consortium_id=factories.CONSORTIUM,
        kind="joint_training",
        host_cluster_id=host or uuid4(),
        ended_on=ended_on,
        attended=list(gains),
        gains=listed,
    )
    return factories.stored(data, 9)


@dataclass
class Member:
    """A cluster with the events that members publishes when it joins."""

    id: UUID
    name: str
    levels: Mapping[str, int]
    targets: Mapping[str, int]
    facts: Mapping[str, Any]

    def events(self) -> list[Stored]:
        events = [factories.cluster_registered_event(1, cluster_id=self.id, name=self.name, **self.facts)]
        events.append(assessed(self.id, 2, self.levels))
        wanted = enumerate(self.targets.items(), 3)
        return events + [target_set(self.id, version, indicator, level) for version, (indicator, level) in wanted]


def member(name: str, levels: Mapping[str, int], targets: Mapping[str, int] | None = None, **facts: Any) -> Member:
    return Member(uuid4(), name, levels, targets or {}, facts)


def mentor(name: str = "Mentor", level: int = 5, **facts: Any) -> Member:
    """A cluster with a high level in foresight."""
    return member(name, {"foresight": level}, **facts)


def learner(name: str = "Learner", **facts: Any) -> Member:
    """A cluster with a gap in foresight."""
    return member(name, {"foresight": 1}, {"foresight": 4}, **facts)


def manager_of(cluster: Member) -> dict[str, str]:
    consortium = cluster.facts.get("consortium_id", factories.CONSORTIUM)
    return factories.signed_in(Role.manager, consortium=consortium, cluster=cluster.id)


# --- actions of callers


@dataclass
class Matching:
    """A running matching with its database and transport."""

    client: httpx2.AsyncClient
    url: str
    transport: Transport

    async def deliver(self, *events: Stored) -> None:
        """Deliver events, those of one cluster in this order, and wait until they are handled."""
        await factories.deliver(self.transport, *events)
        await self.wait_handled(events)

    async def wait_handled(self, events: Iterable[Stored]) -> None:
        """Wait until the events are handled. None of them may become a dead letter."""
        ids = {event.id for event in events}
        query = "SELECT state FROM inbox WHERE event_id = ANY($1)"

        async def done() -> bool:
            states = [row["state"] for row in await factories.rows(self.url, query, list(ids))]
            assert "dead" not in states
            return states.count("done") == len(ids)

        await eventually(done)

    async def register(self, *members: Member) -> None:
        """Deliver the events of clusters that join."""
        await self.deliver(*(event for cluster in members for event in cluster.events()))

    async def get(self, path: str, headers: dict[str, str] = OPERATOR, **query: str) -> Json:
        reply = await self.client.get(path, headers=headers, params=query)
        assert reply.status_code == 200, reply.text
        body: Json = reply.json()
        return body

    async def pairs(self) -> list[Json]:
        """The published pairs, oldest first."""
        items: list[Json] = (await self.get("/pairs", limit="100"))["items"]
        return items

    async def draft_run(self, consortium: UUID = factories.CONSORTIUM, **request: Any) -> Json:
        """Request a run; the draft with its pairs."""
        reply = await self.request_run(consortium, **request)
        assert reply.status_code == 201, reply.text
        return await self.finished_run(reply.json()["id"])

    async def finished_run(self, run: str, state: str = "draft") -> Json:
        """Wait for the end of a run, in this state; the run with its pairs."""

        async def ended() -> Json:
            shown = await self.get(f"/runs/{run}")
            return {} if shown["run"]["state"] == "running" else shown

        shown = await eventually(ended, SOLVE_DEADLINE)
        assert shown["run"]["state"] == state, shown["run"]["reason"]
        return shown

    async def request_run(
        self, consortium: UUID = factories.CONSORTIUM, headers: dict[str, str] = OPERATOR, **request: Any
    ) -> httpx2.Response:
        return await self.client.post("/runs", json={"consortium_id": str(consortium)} | request, headers=headers)

    async def publish(self, run: str, version: int | None = 2, headers: dict[str, str] = OPERATOR) -> httpx2.Response:
        return await self.client.post(f"/runs/{run}/publication", headers=headers | if_match(version))

    async def register_and_publish(self, *members: Member) -> list[Json]:
        """Register clusters and publish a plan; its pairs."""
        await self.register(*members)
        return await self.publish_pairs(*members)

    async def publish_pairs(self, *members: Member) -> list[Json]:
        """Publish a plan; its pairs, in the order of these mentors and learners."""
        run = await self.draft_run()
        assert (await self.publish(run["run"]["id"])).status_code == 200
        index = {str(cluster.id): number for number, cluster in enumerate(members)}
        return sorted(await self.pairs(), key=lambda pair: (index[pair["mentor_id"]], index[pair["learner_id"]]))

    async def answer(
        self, pair: str, side: str, answer: str = "accept", version: int | None = 1, **other: Any
    ) -> httpx2.Response:
        headers = other.pop("headers", OPERATOR) | if_match(version)
        if key := other.pop("key", None):
            headers |= {"Idempotency-Key": key}
        body = {"side": side, "answer": answer} | other
        return await self.client.post(f"/pairs/{pair}/answers", json=body, headers=headers)

    async def accept(self, pair: str) -> httpx2.Response:
        """Accept for both sides; the second response."""
        assert (await self.answer(pair, "mentor")).status_code == 200
        return await self.answer(pair, "learner", version=2)

    async def mentorship(self, pair: str) -> Json:
        """The view of a mentorship for an operator."""
        return await self.get(f"/mentorships/{pair}")

    async def send(
        self, pair: str, request: str, body: Json, version: int | None = None, headers: dict[str, str] = OPERATOR
    ) -> httpx2.Response:
        """Send a request of a mentorship: `PUT plan`, `POST ending`, …"""
        method, _, path = request.partition(" ")
        headers = headers | if_match(version)
        return await self.client.request(method, f"/mentorships/{pair}/{path}", json=body, headers=headers)

    async def start_mentorship(self, pair: str) -> Json:
        """Accept a proposal and confirm the mentorship for both sides."""
        assert (await self.accept(pair)).status_code == 200
        for version, side in enumerate(("mentor", "learner"), 1):
            reply = await self.send(pair, "POST confirmations", {"side": side}, version)
            assert reply.status_code == 200, reply.text
        return await self.mentorship(pair)

    async def used_slots(self, cluster: Member, side: str) -> int:
        query = "SELECT used FROM slots WHERE cluster_id = $1 AND role = $2"
        ((used,),) = [row.values() for row in await factories.rows(self.url, query, cluster.id, side)]
        return int(used)

    async def state_hash(self) -> str:
        return str((await self.get("/projection"))["state_hash"])

    async def reset_projection(self) -> None:
        reply = await self.client.delete("/projection", headers=OPERATOR)
        assert (reply.status_code, reply.text) == (204, "")

    async def published_data(self, *kinds: str) -> list[Json]:
        """The data of the published events of these kinds."""
        return [data for kind, _, data in await factories.published_events(self.url) if kind in kinds]


def retry_reasons(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The reasons in the log for events that were retried."""
    return [str(entry["reason"]) for entry in entries if "failed" in entry["event"]]


def if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"v{version}"'}


def problem(reply: httpx2.Response) -> tuple[int, str]:
    """Status and slug of a refusal."""
    return reply.status_code, reply.json()["type"].rpartition(":")[2]
