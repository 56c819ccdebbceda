"""Builders for tests: an application under test, callers with tokens, events with good defaults.

async with make.running(trainings.build, url) as client:
    await make.deliver(transport, make.cluster_registered_event(cluster_id=a))
    reply = await client.get("/activities", headers=make.signed_in(Role.operator))
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI
from joserfc.jwk import ECKey
from pydantic import SecretStr

from shared import clock
from shared.auth import Issuer, KeySource, Principal, Role
from shared.events import registry
from shared.events.envelope import Stored
from shared.events.matching import PairProposed
from shared.events.members import ClusterChanged, ClusterRegistered, ServiceRequested
from shared.events.registry import Data, type_of
from shared.events.trainings import TrainingPublished
from shared.settings import Settings
from shared.transport import Transport
from shared.transport.local import LocalTransport
from shared.web import Drain, serve
from tests.support.connection import database_connection
from tests.support.waiting import eventually

ISSUER = Issuer(ECKey.generate_key("P-256"), issuer="http://issuer.test", audience="kei")
CONSORTIUM = UUID("01900000-0000-7000-8000-00000000c000")
Build = Callable[..., FastAPI]


def keys() -> KeySource:
    """The public keys of the test's issuer."""
    return KeySource.of(ISSUER.jwks())


def token(
    role: Role, *, consortium: UUID | None = None, cluster: UUID | None = None, partner: UUID | None = None
) -> str:
    """A token with one role."""
    return ISSUER.token(Principal(f"test {role}", frozenset({role}), consortium, cluster, partner))


def signed_in(
    role: Role, *, consortium: UUID | None = None, cluster: UUID | None = None, partner: UUID | None = None
) -> dict[str, str]:
    """The headers of a request with one role."""
    return {"Authorization": f"Bearer {token(role, consortium=consortium, cluster=cluster, partner=partner)}"}


def settings(url: str, **more: Any) -> Settings:
    """Settings of a service with its database at `url`. No plan follows events, unless `more` says when."""
    more = {"replan_debounce_seconds": 3600.0} | more
    return Settings(
        database_url=SecretStr(url),
        cursor_secret=SecretStr("c" * 32),
        issuer="http://issuer.test",
        audience="kei",
        **more,
    )


@asynccontextmanager
async def running(
    build: Build, url: str, *, transport: Transport | None = None, **more: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service `build` with everything of its lifespan running; streams need `serving`.

    Args:
        build: a service's `main.build`.
        url: of its database, migrated.
        transport: what it is connected to; a local transport of its own if left out.
        more: further settings.
    """
    app = build(settings(url, **more), transport=transport or LocalTransport(), keys=keys())
    asgi = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=asgi, base_url="http://kei.test") as client,
    ):
        yield client


@asynccontextmanager
async def serving(app: FastAPI, drain: Drain | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `app` over a real connection; at the end the server drains (begin `drain` to do so before)."""
    drain = drain or Drain()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    server = asyncio.create_task(serve(app, "127.0.0.1", port, notice=0, drain=drain))
    base = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20) as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers)
            yield client
    finally:
        drain.begin()
        await server


async def rows(url: str, query: str, *values: object) -> list[dict[str, Any]]:
    """What a query finds in the database at `url`."""
    async with database_connection(url) as connection:
        return [dict(row) for row in await connection.fetch(query, *values)]


class PublishedEvent(NamedTuple):
    """An event in an outbox; its type is without service and version of the type, as in `cluster.changed`."""

    type: str
    version: int
    data: dict[str, Any]


async def published_events(url: str) -> list[PublishedEvent]:
    """The events in the outbox of the database at `url`, oldest first."""
    events = await rows(url, "SELECT type, version, data FROM outbox ORDER BY seq")
    return [
        PublishedEvent(".".join(row["type"].split(".")[2:4]), row["version"], json.loads(row["data"])) for row in events
    ]


async def deliver(transport: Transport, *events: Stored) -> None:
    """Send events over a transport, as their service's relay would."""
    for event in events:
        await transport.send(registry()[event.type].topic, [event.record()])


def stored(data: Data, version: int = 1) -> Stored:
    """`data` as an event with an id of its own."""
    entry = type_of(type(data))
    return Stored(
        id=clock.new_id(),
        type=entry.name,
        source=f"/kei/{entry.service}",
        key=getattr(data, entry.key),
        version=version,
        time=datetime(2026, 6, 28, 9, tzinfo=UTC),
        traceparent=None,
        data=data.model_dump_json().encode(),
    )


def cluster_facts(**other: Any) -> dict[str, Any]:
    """The fields that members' cluster events have in common."""
    id = other.pop("cluster_id", None) or uuid4()
    facts: dict[str, Any] = {
        "cluster_id": id,
        "consortium_id": CONSORTIUM,
        "slug": f"cluster-{str(id)[-8:]}",
        "name": f"Cluster {str(id)[-8:]}",
        "country": "HU",
        "ecosystems": ["digital"],
        "languages": ["en", "hu"],
        "value_chain_stages": ["services"],
        "label": "none",
    }
    return facts | other


def cluster_registered(**other: Any) -> ClusterRegistered:
    """A cluster of `CONSORTIUM` joined it."""
    facts = {"mentor_capacity": 2, "learner_capacity": 2} | cluster_facts(**other)
    return ClusterRegistered(**facts)


def cluster_registered_event(version: int = 1, **other: Any) -> Stored:
    """The same, as an event."""
    return stored(cluster_registered(**other), version)


def cluster_changed_event(version: int = 2, **other: Any) -> Stored:
    """A cluster changed."""
    return stored(ClusterChanged(**cluster_facts(**other)), version)


def service_requested(**other: Any) -> ServiceRequested:
    """A cluster asks for help."""
    facts: dict[str, Any] = {
        "cluster_id": uuid4(),
        "consortium_id": CONSORTIUM,
        "request_id": uuid4(),
        "framework": "self-check",
        "indicator": "foresight",
        "urgency": 3,
    }
    return ServiceRequested(**facts | other)


def pair_proposed(**other: Any) -> PairProposed:
    """A mentor and a learner are asked."""
    facts: dict[str, Any] = {
        "pair_id": uuid4(),
        "consortium_id": CONSORTIUM,
        "mentor_id": uuid4(),
        "learner_id": uuid4(),
        "score_hundredths": 4200,
        "terms": [{"term": "gain", "hundredths": 4200, "reason": "The mentor is two levels above the learner."}],
    }
    return PairProposed(**facts | other)


def training_published(**other: Any) -> TrainingPublished:
    """A training is open for registration."""
    facts: dict[str, Any] = {
        "activity_id": uuid4(),
        "consortium_id": CONSORTIUM,
        "kind": "joint_training",
        "title": "Joint training in Bari",
        "host_cluster_id": uuid4(),
        "place": "Bari",
        "starts_on": date(2017, 6, 28),
        "ends_on": date(2017, 6, 29),
        "capacity": 20,
        "teaches": [],
    }
    return TrainingPublished(**facts | other)


def training(host: UUID, **other: Any) -> dict[str, Any]:
    """A body for `POST /activities`; for PUT it goes without `consortium_id`."""
    body: dict[str, Any] = {
        "consortium_id": str(CONSORTIUM),
        "kind": "joint_training",
        "title": "Joint training in Bari",
        "host_cluster_id": str(host),
        "place": "Bari",
        "starts_on": "2017-06-28",
        "ends_on": "2017-06-29",
        "capacity": 5,
        "teaches": [
            {"framework": "self-check", "indicator": "foresight", "gain": 1},
            {"framework": "self-check", "indicator": "value-chain", "gain": 2},
        ],
        "sector_groups": ["agro-food", "energy", "ICT"],
        "deliverables": ["value-chain template"],
        "topics": ["PDCA", "industry analysis"],
    }
    return body | other


def consortium(**other: Any) -> dict[str, Any]:
    """A body for `POST /consortia`."""
    body: dict[str, Any] = {
        "slug": f"consortium-{str(uuid4())[-8:]}",
        "name": "TRACE-KEI",
        "programme": "COSME",
        "starts_on": "2016-11-16",
        "ends_on": "2018-11-15",
    }
    return body | other


def cluster(consortium_id: UUID | str, **other: Any) -> dict[str, Any]:
    """A body for `POST /clusters`; for PUT it goes without `consortium_id` and the capacities."""
    facts = cluster_facts(**other)
    del facts["cluster_id"]
    return facts | {"consortium_id": str(consortium_id), "mentor_capacity": 2, "learner_capacity": 2} | other
