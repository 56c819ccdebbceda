"""The routes `/livez`, `/readyz` and `/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as PrometheusCollector
from sqlalchemy import text

from shared.auth import public
from shared.db import Database
from shared.web.drain import DRAIN, Drain
from shared.web.problems import RETRY_LATER, ProblemError
from shared.web.route import Router

CHECK_TIMEOUT = 2.0

Check = Callable[[], Awaitable[str | None]]
"""Returns None if the check passes, else a short reason without secrets. An exception or a time-out is a failure."""

Collector = Callable[[], Awaitable[Iterable[Metric]]]
"""Returns metric families such as `GaugeMetricFamily(name, help, value=…)`, called at each scrape."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ops:
    """Health checks and metrics of a service.

    Args:
        alive: liveness checks by name; if one fails, the process should be restarted.
        ready: readiness checks by name, in addition to that of the database.
        collectors: called at each scrape.
        drain: ends readiness when it begins.
    """

    alive: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    collectors: list[Collector] = field(default_factory=list)
    drain: Drain = DRAIN


def ops_router(ops: Ops, database: Database | None, registry: CollectorRegistry) -> Router:
    """The routes of one service."""
    router = Router(include_in_schema=False, dependencies=[public()])

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        await _run_checks(ops.alive, "not-alive")
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        if ops.drain.begun:
            raise _unavailable("draining", {"drain": "The process is about to end."})
        database_check = {} if database is None else {"database": lambda: _reachable(database)}
        await _run_checks({**database_check, **ops.ready}, "not-ready")
        return {"status": "ready"}

    @router.get("/metrics")
    async def metrics(_: Request) -> Response:
        body = generate_latest(registry) + generate_latest(_SingleScrape(await _collect(ops.collectors)))
        return Response(body, media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


class _SingleScrape(CollectorRegistry):
    """A registry with the families of one scrape."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self.register(_FixedMetrics(families))


class _FixedMetrics(PrometheusCollector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def _collect(collectors: list[Collector]) -> list[Metric]:
    """All families. A failing collector is counted and does not affect the others."""
    families: list[Metric] = []
    failed = 0
    for collector in collectors:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                families.extend(await collector())
        except Exception as error:  # noqa: BLE001 - the other metrics are still needed
            failed += 1
            _log.warning("metrics collector failed", error=repr(error))
    return [
        *families,
        GaugeMetricFamily("kei_failed_collectors", "Number of metrics collectors that failed at this scrape", failed),
    ]


async def _run_checks(checks: Mapping[str, Check], slug: str) -> None:
    names = list(checks)
    results = await asyncio.gather(*(_result_of(checks[name]) for name in names))
    failures = {name: result for name, result in zip(names, results, strict=True) if result is not None}
    if failures:
        raise _unavailable(slug, failures)


async def _result_of(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except Exception as error:  # noqa: BLE001 - an exception is a failed check
        _log.warning("check failed", error=repr(error))
        return f"The check itself failed ({type(error).__name__})."


async def _reachable(database: Database) -> str | None:
    async with database.reading() as db:
        await db.execute(text("SELECT 1"))
    return None


def _unavailable(slug: str, failures: Mapping[str, str]) -> ProblemError:
    retry = {"Retry-After": str(RETRY_LATER)}
    return ProblemError(503, slug, "; ".join(failures.values()), errors=failures.items(), headers=retry)
