"""One trace from a request over outbox, transport and inbox to the effect, and on to the effect's own events."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.kafka.topics import create_topics
from services.matching import main as matching
from services.members import main as members
from services.notifications import main as notifications
from shared import telemetry
from shared.auth import Role
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.support import factories
from tests.support.waiting import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SERVICES = {"members": members.build, "matching": matching.build, "notifications": notifications.build}
OPERATOR = factories.signed_in(Role.operator)
Urls = dict[str, str]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.set_up("test").add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
async def transport_of(request: pytest.FixtureRequest) -> Callable[[str], Transport]:
    if request.param == "local":
        shared = LocalTransport()
        return lambda _: shared
    servers: str = request.getfixturevalue("kafka")
    await create_topics(servers)
    return lambda service: KafkaTransport(servers, service)


@pytest.fixture
async def running(
    transport_of: Callable[[str], Transport], service_database: Callable[[str], Awaitable[str]]
) -> AsyncIterator[tuple[httpx2.AsyncClient, Urls]]:
    """A client of members, and where the databases of all three services are."""
    urls = {name: await service_database(name) for name in SERVICES}
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(factories.running(build, urls[name], transport=transport_of(name)))
            for name, build in SERVICES.items()
        }
        yield clients["members"], urls


async def made(client: httpx2.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> str:
    reply = await client.post(path, json=body, headers=OPERATOR | headers)
    assert reply.status_code == 201, reply.text
    return str(reply.json().get("id", ""))


async def two_clusters(client: httpx2.AsyncClient) -> str:
    """A mentor and a learner; the learner's id."""
    framework = {"code": "f", "title": "F", "scale_max": 5, "indicators": [{"code": "i", "title": "I"}]}
    await made(client, "/frameworks", framework)
    consortium = await made(client, "/consortia", factories.consortium())
    await assessed(client, consortium, 5, "IT")
    return await assessed(client, consortium, 1, "HU")


async def assessed(client: httpx2.AsyncClient, consortium: str, level: int, country: str) -> str:
    """The id of a cluster of that level."""
    id = await made(client, "/clusters", factories.cluster(consortium, country=country))
    dates = {"assessed_on": "2025-01-01", "valid_until": "2099-01-01"}
    body = {"framework": "f", "kind": "self", "scores": {"i": level}, **dates}
    await made(client, f"/clusters/{id}/assessments", body)
    return id


async def test_one_trace_leads_from_the_request_to_the_last_effect(
    running: tuple[httpx2.AsyncClient, Urls], spans: InMemorySpanExporter
) -> None:
    client, urls = running
    learner = await two_clusters(client)
    await eventually(lambda: _assessed(urls["matching"]), 60)
    wish = {"framework": "f", "indicator": "i", "urgency": 3}
    await made(client, f"/clusters/{learner}/requests", wish, traceparent=f"00-{TRACE}-{CALLER}-01")

    async def published() -> list[str]:
        return await _of_trace(urls["notifications"], "outbox")

    assert await eventually(lambda: _both(published), 60) == ["pair.proposed", "service.requested"]
    assert await _of_trace(urls["members"], "outbox") == ["service.requested"]
    assert await _arrived(urls["matching"]) == ["service.requested"]
    assert await _of_trace(urls["matching"], "outbox") == ["pair.proposed"]

    named = {span.name: span for span in spans.get_finished_spans() if format(span.context.trace_id, "032x") == TRACE}
    server = next(span for name, span in named.items() if name.startswith("POST"))
    assert server.parent is not None
    assert format(server.parent.span_id, "016x") == CALLER
    handling = named["matching handles kei.members.service.requested.v1"]
    assert handling.parent is not None
    assert handling.parent.span_id == server.context.span_id
    assert await eventually(lambda: _batched(spans))


def _batched(spans: InMemorySpanExporter) -> bool:
    """Whether a batch that notifications handled is part of the trace, by its parent or by a link."""
    batches = [span for span in spans.get_finished_spans() if span.name.startswith("notifications handles")]
    contexts = [context for span in batches for context in (span.context, *(link.context for link in span.links))]
    return any(format(context.trace_id, "032x") == TRACE for context in contexts)


async def _both(read: Callable[[], Awaitable[list[str]]]) -> list[str]:
    types = await read()
    return types if len(types) > 1 else []


async def _assessed(url: str) -> bool:
    return len(await factories.rows(url, "SELECT FROM level")) > 1


async def _of_trace(url: str, table: str) -> list[str]:
    """The kinds of the events in a service's log that belong to the trace."""
    query = f"SELECT type FROM {table} WHERE traceparent LIKE $1 AND position IS NOT NULL ORDER BY type"  # noqa: S608
    return [".".join(row["type"].split(".")[2:4]) for row in await factories.rows(url, query, f"00-{TRACE}-%")]


async def _arrived(url: str) -> list[str]:
    """The kinds of the events that came over the transport as part of the trace, by their headers."""
    headers = [dict(json.loads(row["headers"])) for row in await factories.rows(url, "SELECT headers FROM inbox")]
    mine = [header for header in headers if TRACE in header.get("ce_traceparent", "")]
    return sorted(".".join(header["ce_type"].split(".")[2:4]) for header in mine)
