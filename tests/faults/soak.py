"""A long run under load with a fault every minute: the growth of each figure, and whether every guarantee holds.

python -m tests.faults.soak --minutes 10    (for each transport)
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url

from deploy.kafka.topics import create_topics
from tests.faults.harness import FaultHarness, WorkerProcess, fault_harness
from tests.faults.proxy import Proxy, proxy
from tests.faults.report import HEAD, SEED, Result
from tests.faults.samples import Sampler, head, slopes
from tests.support import cleanup
from tests.support import kafka as brokers
from tests.support.kafka import Broker
from tests.support.own_postgres import OwnPostgres
from tests.support.run import Run
from tests.support.waiting import passing

LONGEST = 15.0
"""Seconds that a fault lasts, at most: more than a session with Kafka."""
CATCHING_UP = 20.0
"""Seconds after a fault in which it may still be felt."""


@dataclass(frozen=True)
class Plan:
    """Length, and intervals of faults and samples, in seconds."""

    length: float
    fault_every: float
    sample_every: float


@dataclass
class Soak:
    """The run on one transport."""

    plan: Plan
    harness: FaultHarness
    server: OwnPostgres
    door: Proxy
    broker: Broker | None
    workers: list[WorkerProcess]
    rng: random.Random = field(default_factory=lambda: random.Random(SEED))
    """Decides about faults only, so that a seed gives the same ones again."""
    noted: list[tuple[str, float]] = field(default_factory=list)
    """When each fault began, and when it was over."""

    async def kill(self, worker: WorkerProcess, _: float) -> None:
        await worker.kill()
        await worker.start()

    async def freeze(self, worker: WorkerProcess, seconds: float) -> None:
        worker.freeze()
        await passing(seconds)
        worker.resume()

    async def stop_database(self, _: WorkerProcess, __: float) -> None:
        await self.server.stop()
        await self.server.start()

    async def slow(self, _: WorkerProcess, seconds: float) -> None:
        """Delay all data to and from the database by a tenth of a second."""
        self.door.network.latency = 0.1
        await passing(seconds)
        self.door.network.latency = 0.0

    async def silent(self, _: WorkerProcess, seconds: float) -> None:
        """Drop all data to and from the database."""
        self.door.network.up = self.door.network.down = False
        await passing(seconds)
        self.door.network.up = self.door.network.down = True

    async def crash_broker(self, _: WorkerProcess, seconds: float) -> None:
        assert self.broker is not None
        await self.broker.crash()
        await passing(seconds)
        await self.broker.start()

    def known(self) -> Mapping[str, Callable[[WorkerProcess, float], Awaitable[None]]]:
        """The faults of this transport."""
        on_both = {
            "node killed": self.kill,
            "node frozen": self.freeze,
            "database stopped": self.stop_database,
            "network slow": self.slow,
            "network silent": self.silent,
        }
        return on_both | ({"broker killed": self.crash_broker} if self.broker else {})

    async def disturb(self) -> None:
        """Inject a fault in each interval; all faults occur before the first is repeated."""
        rng, left = self.rng, list[str]()
        for _ in range(int(self.plan.length // self.plan.fault_every)):
            began = time.monotonic()
            await passing(rng.uniform(0.2, 0.5) * self.plan.fault_every)
            self.check()
            left = left or sorted(self.known())
            name = left.pop(rng.randrange(len(left)))
            self.noted.append((name, time.monotonic()))
            await self.known()[name](rng.choice(self.workers), min(LONGEST, 0.25 * self.plan.fault_every))
            self.noted.append((name, time.monotonic()))
            await passing(max(0.0, self.plan.fault_every - (time.monotonic() - began)))

    def check(self) -> None:
        """Assert that no process has ended by itself.

        Raises:
            RuntimeError: with the last output of a process that has ended.
        """
        for worker in self.workers:
            if worker.process.returncode is not None:
                raise RuntimeError(f"a node ended by itself, {worker.process.returncode}:\n{worker.output()[-2000:]}")

    def wrong(self) -> str:
        """The current fault, or the one that has just ended."""
        if not self.noted:
            return ""
        name, at = self.noted[-1]
        over = len(self.noted) % 2 == 0 and time.monotonic() - at > CATCHING_UP
        return "" if over else name

    async def watch(self) -> Sampler:
        """Take and print samples until the end."""
        sampler = Sampler(self.harness, self.workers)
        print_now(head(len(self.workers)))
        while time.monotonic() - sampler.began < self.plan.length:
            await passing(self.plan.sample_every)
            print_now((await sampler.look(self.wrong())).line())
        return sampler


@asynccontextmanager
async def soaked(run: Run, transport: str, plan: Plan) -> AsyncIterator[Soak]:
    """A run with its own servers, which its processes reach through a proxy."""
    async with AsyncExitStack() as stack:
        server = OwnPostgres(run, run.new_folder() / "postgres", {})
        await server.start()
        stack.push_async_callback(server.end)
        broker = brokers.new_broker(run) if transport == "kafka" else None
        if broker:
            stack.push_async_callback(broker.end)
            await broker.start()
            await create_topics(broker.address)
        door = await stack.enter_async_context(proxy(lambda: asyncio.open_unix_connection(server.socket)))

        def through(url: str) -> str:
            at = make_url(url).set(host="127.0.0.1", port=door.port, query={})
            return at.render_as_string(hide_password=False)

        address = broker.address if broker else None
        harness = await stack.enter_async_context(fault_harness(server.create, address, run.new_folder(), via=through))
        yield Soak(plan, harness, server, door, broker, await harness.start_pair(failing=0.005))


async def soak(run: Run, transport: str, plan: Plan) -> Result:
    """Run with load, faults and samples; print the growth, and count when all events are handled."""
    async with soaked(run, transport, plan) as soak:
        writers = soak.harness.writers(rollbacks=0.05, max_hold=0.02)
        writing = asyncio.create_task(writers.run())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(soak.disturb())
                watching = group.create_task(soak.watch())
        finally:
            writing.cancel()
            await asyncio.wait([writing])
        healed = time.monotonic()
        soak.check()
        for name, value in slopes(watching.result().samples, min(60.0, plan.length / 5)).items():
            print_now(f"{name:26}" + ("   not known" if value is None else f"{value:+12.2f} an hour"))
        return await soak.harness.result(f"soak {plan.length / 60:g} min", len(soak.noted) // 2, writers, healed)


def print_now(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run each requested transport; return 1 if a guarantee was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each transport")
    parser.add_argument("--transport", choices=["local", "kafka", "both"], default="both")
    parser.add_argument("--fault-every", type=float, default=60.0, help="seconds")
    parser.add_argument("--sample-every", type=float, default=5.0, help="seconds")
    options = parser.parse_args()
    plan = Plan(options.minutes * 60, options.fault_every, options.sample_every)
    results = []
    run = Run.begin()
    cleanup.mark(run)
    try:
        for transport in ("local", "kafka") if options.transport == "both" else (options.transport,):
            if transport == "kafka" and (reason := brokers.unavailable_reason(run, own=True)):
                print_now(f"kafka: skipped, {reason}")
                continue
            print_now(f"\n{transport}, {options.minutes:g} minutes, seed {SEED}")
            results.append(asyncio.run(soak(run, transport, plan)))
            print_now("\n".join([HEAD, results[-1].line()]))
    finally:
        cleanup.end(run)
    passed = [result.injected > 0 and result.acked > 0 and not result.findings.broken for result in results]
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
