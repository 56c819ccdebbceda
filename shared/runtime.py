"""Runs a service: web application, relay, inbox worker and jobs, in one process or split by role."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client.metrics_core import Metric

from shared import clock, inbox, outbox, web
from shared.auth import KeySource, Verifier
from shared.background import ErrorCounts, count_errors, every
from shared.db import Database
from shared.inbox import Consumer, Inbox, Worker
from shared.messaging_metrics import consumer_metrics, inbox_metrics, job_metrics, outbox_metrics
from shared.outbox import Relay, Waker
from shared.settings import Settings
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.kafka_connection import KafkaConnectionSettings
from shared.web.admin_routes import admin_router

STALL_TIMEOUT = 60.0
"""Seconds without progress after which the process reports itself as not alive."""
HOUSEKEEPING_SECONDS = 3600.0
_SHUTDOWN_TIMEOUTS = (8.0, 2.0)
"""Seconds for the loops to end: Kafka's client needs up to 7 while the broker is away."""

Job = Callable[[Database], Coroutine[None, None, None]]
"""A loop that runs until it is cancelled."""

MetricsCollector = Callable[[Database], Awaitable[Sequence[Metric]]]
"""Reads metrics from the database."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """What distinguishes one service from another.

    Args:
        name: also the database role, the Kafka client and the consumer group.
        title: of the OpenAPI document.
        routers: its routes.
        consumer: the handlers of events.
        jobs: background loops of processes with role all or worker.
        collectors: metrics of its data, collected at each scrape in addition to those of every service.
        background: background loops of every process, whatever its role.
        notify_channel: PostgreSQL channel to notify when positions were assigned to its events.
    """

    name: str
    title: str
    routers: Sequence[APIRouter]
    consumer: Consumer | None = None
    jobs: Sequence[Job] = ()
    collectors: Sequence[MetricsCollector] = ()
    background: Sequence[Job] = ()
    notify_channel: str | None = None


@dataclass
class _Parts:
    """The components of one process."""

    service: Service
    settings: Settings
    database: Database
    transport: Transport
    relay: Relay
    stalled_after: float
    workers: list[Worker] = field(default_factory=list)
    job_errors: ErrorCounts = field(default_factory=Counter)

    @property
    def is_worker(self) -> bool:
        return self.settings.role in {"all", "worker"}


def build(
    service: Service,
    settings: Settings,
    *,
    transport: Transport | None = None,
    keys: KeySource | None = None,
    stalled_after: float = STALL_TIMEOUT,
) -> FastAPI:
    """The service's application; its lifespan runs everything else.

    Args:
        service: which service.
        settings: from the environment.
        transport: of the embedded mode; Kafka if left out.
        keys: the issuer's public keys; those at `settings.jwks_url` if left out.
        stalled_after: seconds without progress of a loop after which the process reports itself as not alive.

    Raises:
        ValueError: there is no transport and no broker is set, or the broker's settings contradict each other.
    """
    transport = transport or _kafka_transport(service, settings)
    database = Database(settings.database_url.get_secret_value(), name=service.name, pool_size=settings.pool_size)
    relay = Relay(database, transport, notify_channel=service.notify_channel)
    parts = _Parts(service, settings, database, transport, relay, stalled_after)
    if service.consumer is not None:
        receiver = Inbox(database, service.consumer)
        transport.attach(receiver)
        parts.workers.append(Worker(database, service.consumer, receiver))
    admin = admin_router(service.name, service.consumer, database, transport, reads=parts.is_worker)
    collectors = [partial(collect, database) for collect in service.collectors]
    return web.create_app(
        title=service.title,
        version="1",
        database=database,
        cursor_secret=settings.cursor_secret.get_secret_value(),
        verifier=_verifier(settings, keys),
        routers=[*service.routers, admin],
        lifespan=lambda _: _running(parts),
        ops=web.Ops(alive={"progress": lambda: _stalled(parts)}, collectors=[lambda: _metrics(parts), *collectors]),
    )


def _verifier(settings: Settings, keys: KeySource | None) -> Verifier:
    return Verifier(issuer=settings.issuer, audience=settings.audience, keys=keys or KeySource.at(settings.jwks_url))


def _kafka_transport(service: Service, settings: Settings) -> Transport:
    if not settings.kafka_bootstrap_servers:
        raise ValueError("KEI_KAFKA_BOOTSTRAP_SERVERS is not set: a service that runs alone needs a broker (host:port)")
    password = None if settings.kafka_password is None else settings.kafka_password.get_secret_value()
    connection = KafkaConnectionSettings(
        settings.kafka_bootstrap_servers, settings.kafka_user, password, settings.kafka_ca_file, settings.kafka_tls
    )
    return KafkaTransport(connection, service.name)


@asynccontextmanager
async def _running(parts: _Parts) -> AsyncIterator[None]:
    parts.job_errors = count_errors()
    waker = Waker(parts.database, parts.relay if parts.is_worker else None)
    parts.database.on_commit.append(waker)
    loops = [waker.run(), *(job(parts.database) for job in parts.service.background)]
    if parts.is_worker:
        loops += [parts.relay.run(), parts.transport.run()]
        loops.append(every(HOUSEKEEPING_SECONDS, partial(_housekeeping, parts), job="housekeeping"))
        loops += [worker.run() for worker in parts.workers]
        loops += [job(parts.database) for job in parts.service.jobs]
    tasks = [asyncio.create_task(loop) for loop in loops]
    for task in tasks:
        task.add_done_callback(_end_process)
    try:
        yield
    finally:
        await _stop_tasks(tasks)
        parts.database.on_commit.remove(waker)
        await parts.transport.close()
        await parts.database.close()


async def _stop_tasks(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel the loops; twice, since an error in a loop's clean-up can swallow the first cancellation."""
    for task in tasks:
        task.remove_done_callback(_end_process)
    with suppress(asyncio.CancelledError):
        for timeout in _SHUTDOWN_TIMEOUTS:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=timeout)


def _end_process(task: "asyncio.Task[None]") -> None:
    """End the process when a loop ends for any reason: a restart is better than a service that works in part."""
    error = asyncio.CancelledError("by itself") if task.cancelled() else task.exception()
    name = getattr(task.get_coro(), "__qualname__", task.get_name())
    _log.critical("a loop of the service ended; the process ends", loop=name, exc_info=error)
    web.DRAIN.failure = f"The loop {name} ended; see the log."
    signal.raise_signal(signal.SIGTERM)


async def _housekeeping(parts: _Parts) -> None:
    """Make the next partitions of the outbox, and delete what is older than the retention settings say."""
    settings, now = parts.settings, clock.now()
    await outbox.maintain_partitions(parts.database, now, settings.outbox_retention_days)
    if parts.service.consumer is not None and settings.inbox_retention_days is not None:
        before = now - timedelta(days=settings.inbox_retention_days)
        await _purge(parts.database, parts.service.consumer.name, before)
    async with parts.database.transaction() as tx:
        await web.delete_before(tx, now - timedelta(days=settings.idempotency_retention_days))


async def _purge(database: Database, consumer: str, before: datetime) -> None:
    purged = 1
    while purged:
        async with database.transaction() as tx:
            purged = await inbox.purge(tx, consumer, before)


async def _stalled(parts: _Parts) -> str | None:
    if not parts.is_worker:
        return None
    now = monotonic()
    ages = {"relay": now - parts.relay.progressed_at, "ingest": parts.transport.stalled()}
    ages.update(("inbox worker", now - worker.progressed_at) for worker in parts.workers)
    stalled = [name for name, age in ages.items() if age > parts.stalled_after]
    return f"no progress for {parts.stalled_after:g} s: {', '.join(stalled)}" if stalled else None


async def _metrics(parts: _Parts) -> list[Metric]:
    consumer = parts.service.consumer
    async with parts.database.reading() as session:
        log = await outbox.stats(session)
        pending = [] if consumer is None else await inbox.pending_stats(session, consumer)
    families = [
        *outbox_metrics(log, is_leader=parts.relay.leading),
        *inbox_metrics(pending),
        job_metrics(parts.job_errors),
    ]
    if consumer is not None and parts.is_worker:
        families += consumer_metrics(consumer.topics, parts.transport.lag(), parts.transport.lost())
    return families
