"""Traces from the request through outbox, transport and inbox to the handler; exported to an OTLP endpoint if set."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_UNTRACED_PATHS = ("/livez", "/readyz", "/metrics")


def set_up(name: str) -> TracerProvider:
    """The tracer provider of this process; created at the first call.

    Args:
        name: the `service.name` of all spans, unless OTEL_SERVICE_NAME is set.
    """
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        return current
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", name)}))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def tracer() -> Tracer:
    """The tracer of Kei's own spans."""
    return trace.get_tracer("kei")


def traceparent() -> str | None:
    """The W3C `traceparent` of the current span; None outside of a trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(
    name: str,
    traceparent: str | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    linked: Iterable[str | None] = (),
) -> Iterator[Span]:
    """A span that is current inside the block.

    Args:
        name: of the span.
        traceparent: of the parent; the current span if left out.
        kind: OpenTelemetry's span kind.
        linked: traceparents of other traces that the span is linked to.
    """
    context = _context(traceparent) if traceparent else None
    links = [Link(trace.get_current_span(_context(parent)).get_span_context()) for parent in linked if parent]
    with tracer().start_as_current_span(name, context=context, kind=kind, links=links) as current:
        yield current


def _context(traceparent: str) -> Context:
    return _PROPAGATOR.extract({"traceparent": traceparent})


def is_traced(path: str) -> bool:
    """Whether requests to `path` are traced: all except probes and scrapes."""
    return not path.endswith(_UNTRACED_PATHS)
