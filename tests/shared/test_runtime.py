"""What a running service says of itself: alive while it makes progress, and figures for every topic it wants."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.trainings.consumers import consumer
from shared import runtime
from shared.db import Database
from shared.transport.local import LocalTransport
from shared.web import DRAIN
from tests.support import factories
from tests.support.waiting import eventually

TOPIC = "kei.members.v1"
Create = Callable[[str], Awaitable[str]]


class SilentTransport(LocalTransport):
    """A transport with records that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.silence = 0.0

    def stalled(self) -> float:
        return self.silence

    def lag(self) -> Mapping[str, int]:
        return {TOPIC: 7}

    def lost(self) -> Mapping[str, int]:
        return {TOPIC: 2}


def build(*settings: Any, **options: Any) -> FastAPI:
    service = runtime.Service("trainings", "Kei trainings", [], consumer)
    return runtime.build(service, *settings, **options, stalled_after=2.0)


async def test_liveness_names_the_ingest_that_reads_nothing(service_database: Create) -> None:
    transport = SilentTransport()
    async with factories.running(build, await service_database("trainings"), transport=transport) as client:
        assert (await client.get("/livez")).status_code == 200
        transport.silence = 3.0
        reply = await client.get("/livez")
        assert (reply.status_code, reply.json()["detail"]) == (503, "no progress for 2 s: ingest")
        transport.silence = 0.0
        assert (await client.get("/livez")).status_code == 200


async def test_liveness_names_the_worker_whose_handler_never_ends(service_database: Create) -> None:
    url = await service_database("trainings")
    holder = Database(url, name="holder")
    transport = SilentTransport()
    async with factories.running(build, url, transport=transport) as client, holder.transaction() as tx:
        await tx.execute(text("LOCK TABLE cluster IN ACCESS EXCLUSIVE MODE"))
        await factories.deliver(transport, factories.cluster_registered_event())

        async def names_it() -> bool:
            reply = await client.get("/livez")
            return reply.status_code == 503 and "inbox worker" in reply.json()["detail"]

        await eventually(names_it, 8.0)
    await holder.close()


async def _returns(_: Database) -> None:
    return


async def _fails(_: Database) -> None:
    raise ValueError("odd")


async def _is_cancelled(_: Database) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("job", [_returns, _fails, _is_cancelled])
async def test_a_loop_that_ends_ends_the_process_and_is_named(
    service_database: Create, job: runtime.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DRAIN, "failure", None)

    def build(*settings: Any, **options: Any) -> FastAPI:
        return runtime.build(runtime.Service("trainings", "Kei trainings", [], jobs=[job]), *settings, **options)

    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, asked_to_end.set)
    try:
        with structlog.testing.capture_logs() as logs:
            async with factories.running(build, await service_database("trainings")), asyncio.timeout(10):
                await asked_to_end.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    assert [entry["loop"] for entry in logs if entry["log_level"] == "critical"] == [job.__qualname__]
    assert DRAIN.failure == f"The loop {job.__qualname__} ended; see the log."


async def test_a_loop_that_lost_its_cancellation_is_ended_all_the_same(
    service_database: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection was lost when it was cancelled: rolling back fails, and that error is all that comes out."""
    monkeypatch.setattr(runtime, "_SHUTDOWN_TIMEOUTS", (0.5, 5.0))
    turns, ended = asyncio.Queue[int](), asyncio.Event()

    async def job(database: Database) -> None:
        try:
            while True:
                with suppress(DBAPIError):
                    async with database.transaction() as tx:
                        turns.put_nowait(await tx.scalar(text("SELECT pg_backend_pid()")) or 0)
                        await asyncio.Event().wait()
        finally:
            ended.set()

    def build(*settings: Any, **options: Any) -> FastAPI:
        return runtime.build(runtime.Service("trainings", "Kei trainings", [], jobs=[job]), *settings, **options)

    url = await service_database("trainings")
    async with factories.running(build, url):
        pid = await turns.get()
        await factories.rows(url, "SELECT pg_terminate_backend($1, 5000)", pid)
    assert ended.is_set()


async def test_every_topic_has_its_figures_before_anything_arrives(service_database: Create) -> None:
    async with factories.running(build, await service_database("trainings"), transport=SilentTransport()) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    for name in ("kei_inbox_pending_events", "kei_inbox_oldest_pending_age_seconds", "kei_inbox_dead_letters"):
        assert f'{name}{{topic="{TOPIC}"}} 0.0' in lines
    assert f'kei_consumer_lag_records{{topic="{TOPIC}"}} 7.0' in lines
    assert f'kei_consumer_lost_records_total{{topic="{TOPIC}"}} 2.0' in lines
    assert "kei_outbox_unsent_events 0.0" in lines
