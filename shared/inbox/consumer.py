"""The event handlers of a service, registered by data model in its `consumers.py`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind

from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.registry import Data, registry, type_of
from shared.telemetry import span

D = TypeVar("D", bound=Data)
Handler = Callable[[WriteSession, Event[Any]], Awaitable[None]]
BatchHandler = Callable[[WriteSession, Sequence[Event[Any]]], Awaitable[None]]


class Consumer:
    """The handlers of one service. A handler receives the transaction that also marks its events as done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: dict[str, BatchHandler] = {}

    @property
    def topics(self) -> frozenset[str]:
        """The topics of the handled event types."""
        return frozenset(registry()[name].topic for name in self._handlers)

    def handler_of(self, name: str) -> BatchHandler | None:
        """The batch handler of an event type; None if the service does not handle the type."""
        return self._handlers.get(name)

    def on(self, *models: type[Data]) -> Callable[[Handler], Handler]:
        """Register a handler for single events."""

        def register(handler: Handler) -> Handler:
            async def handle_each(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
                for event in events:
                    with span(f"{self.name} handles {event.type}", event.traceparent, kind=SpanKind.CONSUMER):
                        await handler(tx, event)

            self._add(models, handle_each)
            return handler

        return register

    def on_batch(self, *models: type[Data]) -> Callable[[BatchHandler], BatchHandler]:
        """Register a handler for several events with different keys.

        One statement per table for all of them is 5 times faster than one per event.
        """

        def register(handler: BatchHandler) -> BatchHandler:
            async def handle_batch(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
                what = events[0].type if len(events) == 1 else f"{len(events)} events"
                name = f"{self.name} handles {what}"
                first, *others = (event.traceparent for event in events)
                with span(name, first, kind=SpanKind.CONSUMER, linked=others):
                    await handler(tx, events)

            self._add(models, handle_batch)
            return handler

        return register

    def _add(self, models: Sequence[type[Data]], handler: BatchHandler) -> None:
        for model in models:
            if self._handlers.setdefault(type_of(model).name, handler) is not handler:
                message = f"{self.name} handles {model.__name__} twice"
                raise ValueError(message)
