"""Composition of the members service."""

from fastapi import FastAPI

from services.members.jobs.label_expiry import expire_labels
from services.members.routes import assessments, clusters, consortia, frameworks, levels, service_requests, targets
from shared import runtime
from shared.auth import KeySource
from shared.settings import Settings
from shared.transport import Transport


def build(settings: Settings, *, transport: Transport | None = None, keys: KeySource | None = None) -> FastAPI:
    """The service's application."""
    topics = (consortia, clusters, frameworks, assessments, levels, targets, service_requests)
    routers = [topic.router for topic in topics]
    service = runtime.Service("members", "Kei members", routers, jobs=[expire_labels])
    return runtime.build(service, settings, transport=transport, keys=keys)
