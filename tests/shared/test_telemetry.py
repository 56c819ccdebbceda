"""One trace survives being written down and taken up again elsewhere."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import telemetry


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.set_up("test").add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def test_outside_of_a_trace_there_is_no_parent() -> None:
    assert telemetry.traceparent() is None


def test_a_span_is_taken_up_by_its_traceparent(spans: InMemorySpanExporter) -> None:
    with telemetry.span("request"):
        written = telemetry.traceparent()
    assert telemetry.traceparent() is None
    with telemetry.span("effect", written):
        pass
    request, effect = spans.get_finished_spans()
    assert effect.context.trace_id == request.context.trace_id
    assert effect.parent is not None
    assert effect.parent.span_id == request.context.span_id


def test_a_garbled_parent_begins_a_new_trace(spans: InMemorySpanExporter) -> None:
    with telemetry.span("request"), telemetry.span("effect", "garbage"):
        pass
    effect, request = spans.get_finished_spans()
    assert effect.parent is None
    assert effect.context.trace_id != request.context.trace_id


def test_setting_up_twice_keeps_the_first() -> None:
    assert telemetry.set_up("one") is telemetry.set_up("two")
