"""The three addresses for machines that keep the service alive: `/livez`, `/readyz` and `/metrics`."""

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
"""Returns None if all is well, else a short reason without secrets. Raising or being slow counts as not well."""

Collector = Callable[[], Awaitable[Iterable[Metric]]]
"""Returns metric families, for instance `[GaugeMetricFamily(name, help, value=…)]`, at each scrape."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ops:
    """What a service tells about itself. The runtime may add to it until the first request.

    Args:
        alive: checks of progress, by name; if one fails the process should be restarted.
        ready: checks whether requests can be served now, by name; the database's is always among them.
        collectors: asked at each scrape.
        drain: turns readiness off when it begins.
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
        await _run(ops.alive, "not-alive")
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        if ops.drain.begun:
            raise _unwell("draining", {"drain": "The process is about to end."})
        own = {} if database is None else {"database": lambda: _reachable(database)}
        await _run({**own, **ops.ready}, "not-ready")
        return {"status": "ready"}

    @router.get("/metrics")
    async def metrics(_: Request) -> Response:
        body = generate_latest(registry) + generate_latest(_Once(await _collect(ops.collectors)))
        return Response(body, media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


class _Once(CollectorRegistry):
    """Metrics that were asked for just now."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self.register(_Given(families))


class _Given(PrometheusCollector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def _collect(collectors: list[Collector]) -> list[Metric]:
    """All families. A collector that fails is counted and costs the others nothing."""
    families: list[Metric] = []
    failed = 0
    for collector in collectors:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                families.extend(await collector())
        except Exception as error:  # noqa: BLE001 - whatever it is, the other figures matter more then
            failed += 1
            _log.warning("metrics collector failed", error=repr(error))
    return [
        *families,
        GaugeMetricFamily("kei_failed_collectors", "Number of metrics collectors that failed at this scrape", failed),
    ]


async def _run(checks: Mapping[str, Check], slug: str) -> None:
    names = list(checks)
    answers = await asyncio.gather(*(_ask(checks[name]) for name in names))
    faults = {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}
    if faults:
        raise _unwell(slug, faults)


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except Exception as error:  # noqa: BLE001 - a check that breaks has answered
        _log.warning("check failed", error=repr(error))
        return f"The check itself failed ({type(error).__name__})."


async def _reachable(database: Database) -> str | None:
    async with database.reading() as db:
        await db.execute(text("SELECT 1"))
    return None


def _unwell(slug: str, faults: Mapping[str, str]) -> ProblemError:
    retry = {"Retry-After": str(RETRY_LATER)}
    return ProblemError(503, slug, "; ".join(faults.values()), errors=faults.items(), headers=retry)
