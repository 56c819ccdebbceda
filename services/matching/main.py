"""The composition of matching."""

from fastapi import FastAPI

from services.matching.consumers import consumer
from services.matching.jobs.run_worker import RunWorker
from services.matching.jobs.scheduler import Scheduler
from services.matching.jobs.solver_pool import SolverPool
from services.matching.metrics import unresolved_requests
from services.matching.routes import criteria, ledger, meetings, mentorships, pairs, recommendations, runs, what_ifs
from shared import runtime
from shared.auth import KeySource
from shared.settings import Settings
from shared.transport import Transport


def build(
    settings: Settings,
    *,
    transport: Transport | None = None,
    keys: KeySource | None = None,
    solver: SolverPool | None = None,
) -> FastAPI:
    """The FastAPI application of matching."""
    solver = solver or SolverPool()
    service = runtime.Service(
        "matching",
        "Kei matching",
        [room.router for room in (criteria, runs, pairs, what_ifs, mentorships, meetings, ledger, recommendations)],
        consumer=consumer,
        jobs=[Scheduler(settings.replan_debounce_seconds).run],
        collectors=[unresolved_requests],
        background=[solver.run, RunWorker(solver).run],
    )
    app = runtime.build(service, settings, transport=transport, keys=keys)
    app.state.solver = solver
    return app
