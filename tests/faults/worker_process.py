"""A process with only the relay, inbox and worker of a service, to be killed, frozen or started twice.

python -m tests.faults.worker_process SPEC    (JSON of a Spec)
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text

from shared import failpoints, logs
from shared.db import Database, WriteSession
from shared.events import Event, Record
from shared.events.matching import PairDeclined, RunPublished
from shared.events.members import CapacityChanged, TargetSet
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted
from shared.inbox import Consumer, Inbox, Worker
from shared.outbox import Relay
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.support.waiting import block, passing

READY = "worker process ready"
TASKS = "tasks: "
KILLED = 137
"""The exit status of a process that ended at a failpoint."""
MODELS = (CapacityChanged, TargetSet, RegistrationConfirmed, RegistrationWaitlisted, RunPublished, PairDeclined)
SINK = (
    """
    CREATE TABLE effect (
        n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid, key uuid, version bigint,
        at timestamptz DEFAULT clock_timestamp()
    )
    """,
    "CREATE TABLE arrival (records bigint NOT NULL)",
    "INSERT INTO arrival VALUES (0)",
    "CREATE TABLE shared (n int PRIMARY KEY, changes bigint NOT NULL DEFAULT 0)",
    "INSERT INTO shared SELECT * FROM generate_series(0, 9)",
)
_EFFECT = text("INSERT INTO effect (event_id, key, version) VALUES (:id, :key, :version)")
_SHARED = text("UPDATE shared SET changes = changes + 1 WHERE n = :n")
_ARRIVED = text("UPDATE arrival SET records = records + :count")


class Spec(BaseModel):
    """The parts of a worker process: a relay, a consumer or both; on the local transport it has to be both."""

    source: str
    sink: str
    kafka: str | None
    consumer: str
    key_prefix: str
    """How the keys of this harness begin; other records use the same topics."""
    relays: bool = True
    consumes: bool = True
    lease: float = 3.0
    max_attempts: int = 5
    failing: float = 0.0
    """The share of events at which the handler fails: the first time, or as long as the file `broken` exists."""
    broken: Path | None = None
    crosses: bool = False
    """Whether the handler updates two of ten shared rows, in an order that depends on the event."""
    blocks: float = 0.0
    """Seconds for which SIGUSR1 blocks the event loop."""


def effects_consumer(spec: Spec) -> Consumer:
    """A consumer that records every event in the table `effect`."""
    consumer = Consumer(spec.consumer)
    refused: set[Any] = set()

    @consumer.on(*MODELS)
    async def effect(tx: WriteSession, event: Event[Any]) -> None:
        await tx.execute(_EFFECT, {"id": event.id, "key": event.key, "version": event.version})
        for n in (event.id.int % 10, event.id.int // 10 % 10) if spec.crosses else ():
            await tx.execute(_SHARED, {"n": n})
            await passing(0.001)
        if event.id.int % 1000 < spec.failing * 1000:
            refuse = spec.broken.exists() if spec.broken else event.id not in refused
            refused.add(event.id)
            if refuse:
                raise ValueError("not this time")

    return consumer


class CountedInbox(Inbox):
    """Counts every record of this harness that the transport delivers, with duplicates."""

    def __init__(self, database: Database, consumer: Consumer, key_prefix: str) -> None:
        super().__init__(database, consumer)
        self._database, self._mine = database, key_prefix.encode()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        count = sum((record.key or b"").startswith(self._mine) for _, record in records)
        async with self._database.reading() as session:
            await session.execute(_ARRIVED, {"count": count})
        await super().receive(records)


@asynccontextmanager
async def loops(spec: Spec) -> AsyncIterator[list[Coroutine[Any, Any, None]]]:
    """The loops of a worker process."""
    source, sink = Database(spec.source, name="source"), Database(spec.sink, name="sink")
    transport: Transport = KafkaTransport(spec.kafka, "faults") if spec.kafka else LocalTransport()
    running: list[Coroutine[Any, Any, None]] = []
    if spec.consumes:
        consumer = effects_consumer(spec)
        inbox = CountedInbox(sink, consumer, spec.key_prefix)
        transport.attach(inbox)
        running += [
            Worker(sink, consumer, inbox, max_attempts=spec.max_attempts, retry_base_seconds=0.05, poll=0.1).run(),
            transport.run(),
        ]
    if spec.relays:
        running.append(Relay(source, transport, poll=0.05, lease=spec.lease).run())
    try:
        yield running
    finally:
        await transport.close()
        await source.close()
        await sink.close()


def print_task_count() -> None:
    """Print the number of tasks."""
    sys.stdout.write(f"{TASKS}{len(asyncio.all_tasks())}\n")
    sys.stdout.flush()


async def main(spec: Spec) -> None:
    """Run until killed; stop gracefully at SIGTERM."""
    main_task = asyncio.current_task()
    assert main_task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main_task.cancel)
    signal.signal(signal.SIGUSR1, lambda *_: block(spec.blocks))
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, print_task_count)
    async with loops(spec) as running, asyncio.TaskGroup() as group:
        for loop in running:
            group.create_task(loop)
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()


def crash_at(point: str, passing: int) -> Callable[[str], None]:
    """A failpoint action that ends the process, as a kill would, at the given passing of a failpoint."""
    remaining = passing

    def act(reached: str) -> None:
        nonlocal remaining
        remaining -= reached == point
        if not remaining:
            os._exit(KILLED)

    return act


if __name__ == "__main__":
    logs.set_up("worker-process", stream=sys.stdout)
    if len(sys.argv) > 2:
        failpoints.on_failpoint.set(crash_at(sys.argv[2], int(sys.argv[3])))
    with suppress(asyncio.CancelledError):
        asyncio.run(main(Spec.model_validate_json(sys.argv[1])))
