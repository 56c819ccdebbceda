"""One trace from a request over outbox, transport and inbox to the effect's own event."""

from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID, uuid4

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.members import main
from shared import outbox, telemetry
from shared.auth import Role
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.members import ClusterRegistered
from shared.inbox import Consumer
from tests.shared.messaging.faulty_transport import CountingTransport
from tests.shared.messaging.harness import Harness, fact
from tests.support import factories
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.set_up("test").add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def answering(name: str) -> Consumer:
    """A consumer whose effect is an event of its own."""
    consumer = Consumer(name)

    @consumer.on(ClusterRegistered)
    async def answer(tx: WriteSession, event: Event[ClusterRegistered]) -> None:
        outbox.append(tx, fact(event.key), version=1)

    return consumer


async def test_one_trace_leads_from_the_request_to_the_effects_own_event(
    harness: Harness,
    service_database: Callable[[str], Awaitable[str]],
    consumer_name: str,
    spans: InMemorySpanExporter,
) -> None:
    trace, caller = uuid4().hex, uuid4().hex[:16]
    url = await service_database("members")
    transport = CountingTransport(harness.make_transport())
    async with (
        harness.consuming(answering(consumer_name), transport),
        factories.running(main.build, url, transport=transport) as client,
    ):
        cluster = await _register(client, traceparent=f"00-{trace}-{caller}-01")
        put = await eventually(lambda: _traceparent(harness.urls[1], cluster), deadline=20.0)
    requested = await _traceparent(url, cluster)
    sent = {
        dict(item.headers)["ce_traceparent"].decode() for item in transport.records if item.key == str(cluster).encode()
    }
    served = _span(spans, trace, SpanKind.SERVER)
    handled = _span(spans, trace, SpanKind.CONSUMER)
    assert _parent(served) == caller
    assert sent == {requested}
    assert str(requested).split("-")[1] == trace
    assert _parent(handled) == str(requested).split("-")[2]
    assert str(put).split("-")[1] == trace
    assert str(put).split("-")[2] == format(handled.context.span_id, "016x")
    assert "/clusters" in served.name
    assert handled.name == f"{consumer_name} handles kei.members.cluster.registered.v1"


async def _register(client: httpx2.AsyncClient, traceparent: str) -> UUID:
    headers = factories.signed_in(Role.operator)
    consortium = (await client.post("/consortia", json=factories.consortium(), headers=headers)).json()
    reply = await client.post(
        "/clusters", json=factories.cluster(consortium["id"]), headers={**headers, "traceparent": traceparent}
    )
    assert reply.status_code == 201, reply.text
    return UUID(reply.json()["id"])


async def _traceparent(url: str, key: UUID) -> str | None:
    """Of the event in an outbox."""
    rows = await factories.rows(url, "SELECT traceparent FROM outbox WHERE key = $1", key)
    return rows[0]["traceparent"] if rows else None


def _span(spans: InMemorySpanExporter, trace: str, kind: SpanKind) -> ReadableSpan:
    """The only span of a kind in a trace."""
    traced = [item for item in spans.get_finished_spans() if format(item.context.trace_id, "032x") == trace]
    (span,) = [item for item in traced if item.kind is kind]
    return span


def _parent(span: ReadableSpan) -> str:
    assert span.parent is not None
    return format(span.parent.span_id, "016x")
