"""Composition of the trainings service."""

from fastapi import FastAPI

from services.trainings.consumers import consumer
from services.trainings.routes import activities, registrations
from shared import runtime
from shared.auth import KeySource
from shared.settings import Settings
from shared.transport import Transport


def build(settings: Settings, *, transport: Transport | None = None, keys: KeySource | None = None) -> FastAPI:
    """The service's application."""
    routers = [activities.router, registrations.router]
    service = runtime.Service("trainings", "Kei trainings", routers, consumer)
    return runtime.build(service, settings, transport=transport, keys=keys)
