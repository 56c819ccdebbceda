"""What others tell matching, and what its callers do, with an operator's rights unless said otherwise."""

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

OPERATOR = factories.signed_in(Role.operator)
FRAMEWORK = "self-check"
NO_REST = {"rules": {"freeze_days": 0}}
"""Criteria by which a pair that said no may be proposed again at once."""
SPRING = date(2017, 3, 1)
Json = dict[str, Any]


# --- what others tell


def capacity_changed(cluster: UUID, version: int, mentor: int, learner: int) -> Stored:
    data = CapacityChanged(
        cluster_id=cluster, consortium_id=factories.CONSORTIUM, mentor_capacity=mentor, learner_capacity=learner
    )
    return factories.stored(data, version)


def assessed(cluster: UUID, version: int, levels: Mapping[str, int], on: date = SPRING) -> Stored:
    current = [
        IndicatorLevel(indicator=one, level=level, kind="expert", assessed_on=on) for one, level in levels.items()
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
    """A cluster, with what members tells of it when it joins."""

    id: UUID
    name: str
    levels: Mapping[str, int]
    targets: Mapping[str, int]
    facts: Mapping[str, Any]

    def events(self) -> list[Stored]:
        told = [factories.cluster_registered_event(1, cluster_id=self.id, name=self.name, **self.facts)]
        told.append(assessed(self.id, 2, self.levels))
        wanted = enumerate(self.targets.items(), 3)
        return told + [target_set(self.id, version, indicator, level) for version, (indicator, level) in wanted]


def member(name: str, levels: Mapping[str, int], targets: Mapping[str, int] | None = None, **facts: Any) -> Member:
    return Member(uuid4(), name, levels, targets or {}, facts)


def mentor(name: str = "Mentor", level: int = 5, **facts: Any) -> Member:
    """A cluster that is good at foresight."""
    return member(name, {"foresight": level}, **facts)


def learner(name: str = "Learner", **facts: Any) -> Member:
    """A cluster that wants to become good at foresight."""
    return member(name, {"foresight": 1}, {"foresight": 4}, **facts)


def manager_of(cluster: Member) -> dict[str, str]:
    consortium = cluster.facts.get("consortium_id", factories.CONSORTIUM)
    return factories.signed_in(Role.manager, consortium=consortium, cluster=cluster.id)


# --- what callers do


@dataclass
class Matching:
    """A running matching, its database and what it is connected to."""

    client: httpx2.AsyncClient
    url: str
    transport: Transport

    async def hears(self, *events: Stored) -> None:
        """Deliver events, in this order for those of one cluster, and wait until each of them is handled."""
        await factories.deliver(self.transport, *events)
        await self.handled(events)

    async def handled(self, events: Iterable[Stored]) -> None:
        """Wait until each of the events is handled; none of them may die."""
        ids = {event.id for event in events}
        query = "SELECT state FROM inbox WHERE event_id = ANY($1)"

        async def done() -> bool:
            states = [row["state"] for row in await factories.rows(self.url, query, list(ids))]
            assert "dead" not in states
            return states.count("done") == len(ids)

        await eventually(done)

    async def knows(self, *members: Member) -> None:
        """These clusters have joined."""
        await self.hears(*(event for one in members for event in one.events()))

    async def get(self, path: str, headers: dict[str, str] = OPERATOR, **query: str) -> Json:
        reply = await self.client.get(path, headers=headers, params=query)
        assert reply.status_code == 200, reply.text
        body: Json = reply.json()
        return body

    async def pairs(self) -> list[Json]:
        """The pairs that were proposed, oldest first."""
        items: list[Json] = (await self.get("/pairs", limit="100"))["items"]
        return items

    async def run(self, consortium: UUID = factories.CONSORTIUM, **wish: Any) -> Json:
        """A new draft with its pairs."""
        reply = await self.plan(consortium, **wish)
        assert reply.status_code == 201, reply.text
        return await self.made(reply.json()["id"])

    async def made(self, run: str, state: str = "draft") -> Json:
        """A run with its pairs, when it is not being made any more."""

        async def ended() -> Json:
            shown = await self.get(f"/runs/{run}")
            return {} if shown["run"]["state"] == "running" else shown

        shown = await eventually(ended)
        assert shown["run"]["state"] == state, shown["run"]["reason"]
        return shown

    async def plan(
        self, consortium: UUID = factories.CONSORTIUM, headers: dict[str, str] = OPERATOR, **wish: Any
    ) -> httpx2.Response:
        return await self.client.post("/runs", json={"consortium_id": str(consortium)} | wish, headers=headers)

    async def publish(self, run: str, version: int | None = 2, headers: dict[str, str] = OPERATOR) -> httpx2.Response:
        return await self.client.post(f"/runs/{run}/publication", headers=headers | if_match(version))

    async def proposed(self, *members: Member) -> list[Json]:
        """These clusters join, and a run of them is published."""
        await self.knows(*members)
        return await self.published(*members)

    async def published(self, *members: Member) -> list[Json]:
        """The pairs of a published run, in order of their mentors and learners as given here."""
        made = await self.run()
        assert (await self.publish(made["run"]["id"])).status_code == 200
        place = {str(one.id): number for number, one in enumerate(members)}
        return sorted(await self.pairs(), key=lambda pair: (place[pair["mentor_id"]], place[pair["learner_id"]]))

    async def answer(
        self, pair: str, side: str, answer: str = "accept", version: int | None = 1, **other: Any
    ) -> httpx2.Response:
        headers = other.pop("headers", OPERATOR) | if_match(version)
        if key := other.pop("key", None):
            headers |= {"Idempotency-Key": key}
        body = {"side": side, "answer": answer} | other
        return await self.client.post(f"/pairs/{pair}/answers", json=body, headers=headers)

    async def accept(self, pair: str) -> httpx2.Response:
        """Both sides accept; the second answer."""
        assert (await self.answer(pair, "mentor")).status_code == 200
        return await self.answer(pair, "learner", version=2)

    async def mentorship(self, pair: str) -> Json:
        """A mentorship, as an operator sees it."""
        return await self.get(f"/mentorships/{pair}")

    async def does(
        self, pair: str, what: str, body: Json, version: int | None = None, headers: dict[str, str] = OPERATOR
    ) -> httpx2.Response:
        """Something in a mentorship: `PUT plan`, `POST ending`, …"""
        method, _, path = what.partition(" ")
        headers = headers | if_match(version)
        return await self.client.request(method, f"/mentorships/{pair}/{path}", json=body, headers=headers)

    async def begun(self, pair: str) -> Json:
        """Both sides accept a proposal and confirm what they set out to do."""
        assert (await self.accept(pair)).status_code == 200
        for version, side in enumerate(("mentor", "learner"), 1):
            reply = await self.does(pair, "POST confirmations", {"side": side}, version)
            assert reply.status_code == 200, reply.text
        return await self.mentorship(pair)

    async def used(self, cluster: Member, side: str) -> int:
        query = "SELECT used FROM places WHERE cluster_id = $1 AND side = $2"
        ((used,),) = [row.values() for row in await factories.rows(self.url, query, cluster.id, side)]
        return int(used)

    async def state_hash(self) -> str:
        return str((await self.get("/projection"))["state_hash"])

    async def forget(self) -> None:
        reply = await self.client.delete("/projection", headers=OPERATOR)
        assert (reply.status_code, reply.text) == (204, "")

    async def told(self, *kinds: str) -> list[Json]:
        """The data of the published events of these kinds."""
        return [data for kind, _, data in await factories.published_events(self.url) if kind in kinds]


def tried_again(said: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the log says of events that could not be handled at once."""
    return [str(entry["reason"]) for entry in said if "failed" in entry["event"]]


def if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"v{version}"'}


def problem(reply: httpx2.Response) -> tuple[int, str]:
    """Status and slug of a refusal."""
    return reply.status_code, reply.json()["type"].rpartition(":")[2]
