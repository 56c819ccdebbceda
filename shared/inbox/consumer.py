"""What a service does with which event: handlers by data model. The plate of a service's `consumers.py`."""

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
    """Handlers of one service. A handler gets the transaction in which its event becomes done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: dict[str, BatchHandler] = {}

    @property
    def topics(self) -> frozenset[str]:
        """The topics that carry what it handles."""
        return frozenset(registry()[name].topic for name in self._handlers)

    def handler_of(self, name: str) -> BatchHandler | None:
        """The handler of an event type, as one for batches; None where the type is of no concern."""
        return self._handlers.get(name)

    def on(self, *models: type[Data]) -> Callable[[Handler], Handler]:
        """Register a handler for single events."""

        def register(handler: Handler) -> Handler:
            async def one_by_one(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
                for event in events:
                    with span(f"{self.name} handles {event.type}", event.traceparent, kind=SpanKind.CONSUMER):
                        await handler(tx, event)

            self._add(models, one_by_one)
            return handler

        return register

    def on_batch(self, *models: type[Data]) -> Callable[[BatchHandler], BatchHandler]:
        """Register a handler for many events at once, each of another key.

        One statement per table is 5 times faster.
        """

        def register(handler: BatchHandler) -> BatchHandler:
            async def all_at_once(tx: WriteSession, events: Sequence[Event[Any]]) -> None:
                what = events[0].type if len(events) == 1 else f"{len(events)} events"
                name = f"{self.name} handles {what}"
                first, *others = (event.traceparent for event in events)
                with span(name, first, kind=SpanKind.CONSUMER, also=others):
                    await handler(tx, events)

            self._add(models, all_at_once)
            return handler

        return register

    def _add(self, models: Sequence[type[Data]], handler: BatchHandler) -> None:
        for model in models:
            if self._handlers.setdefault(type_of(model).name, handler) is not handler:
                message = f"{self.name} handles {model.__name__} twice"
                raise ValueError(message)
