"""Composition of the notifications service."""

from fastapi import FastAPI

from services.notifications.consumers import consumer
from services.notifications.push.sse import CHANNEL, Hub
from services.notifications.routes import notices, partners
from services.notifications.routes.feed import feed_router
from shared import runtime
from shared.auth import KeySource
from shared.settings import Settings
from shared.transport import Transport
from shared.web import DRAIN


def build(settings: Settings, *, transport: Transport | None = None, keys: KeySource | None = None) -> FastAPI:
    """The service's application."""
    hub = Hub(DRAIN)
    service = runtime.Service(
        "notifications",
        "Kei notifications",
        [partners.router, notices.router, feed_router(hub)],
        consumer,
        background=[hub.run],
        notify_channel=CHANNEL,
    )
    return runtime.build(service, settings, transport=transport, keys=keys)
