"""`python -m bench [NAME …]`: run all benches and write results.md; with names, run those and print the tables."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import asyncpg

from bench.commit import commit_bench, commit_wake_bench
from bench.desk import desk
from bench.end_to_end import latency_bench, throughput_bench
from bench.growth import growth
from bench.harness import Bench, measured
from bench.http import http_bench
from bench.inbox_worker import inbox_worker_bench
from bench.ingest import ingest_bench
from bench.kafka_send import kafka_send_bench
from bench.machine import Busy, code, describe_machine
from bench.outbox_read import outbox_read_bench
from bench.relay_latency import relay_latency_bench
from bench.relay_throughput import relay_throughput_bench
from bench.report import Result, say, tables
from bench.request_latency import request_latency_bench
from bench.servers import KafkaUnavailable, Servers, start_servers, sync_time
from bench.start import memory, start, story
from deploy.cli.common import in_loop
from shared import logs, telemetry

BENCHES: dict[str, Callable[[Servers], AbstractAsyncContextManager[Bench]]] = {
    "commit": commit_bench,
    "commit-wake": commit_wake_bench,
    "outbox-read": outbox_read_bench,
    "kafka-send": kafka_send_bench,
    "ingest": ingest_bench,
    "relay-throughput": relay_throughput_bench,
    "relay-latency": relay_latency_bench,
    "inbox-worker": inbox_worker_bench,
    "end-to-end-throughput": throughput_bench,
    "end-to-end-latency": latency_bench,
    "http": http_bench,
    "request-latency": request_latency_bench,
    "desk": desk,
    "start": start,
    "memory": memory,
    "story": story,
    "growth": growth,
}
ROUNDS = 5
_RESULTS = Path(__file__).with_name("results.md")


async def _measure(names: Sequence[str], rounds: int) -> list[str]:
    started, busy, commit_before = monotonic(), Busy(), code()
    results: list[Result] = []
    async with start_servers() as servers:
        machine = describe_machine(await _postgres_version(servers.postgres), sync_time(servers.root))
        for name in names:
            say(f"{name} …")
            results.append(await _run_bench(name, servers, rounds))
    command = " ".join(["make bench", *([f"ARGS='{' '.join(names)}'"] if len(names) < len(BENCHES) else [])])
    if rounds != ROUNDS:
        command = f"KEI_BENCH_ROUNDS={rounds} {command}"
    return [
        "# Benchmark results",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{command}`, {(monotonic() - started) / 60:.0f} minutes.",
        "[How to read it](README.md).",
        "",
        f"- {_measured_code(commit_before, code())}",
        *(f"- {line}" for line in machine),
        f"- {busy.stolen():.0%} of the CPU time was taken by the host",
        "",
        *tables(results),
    ]


def _measured_code(before: str, after: str) -> str:
    if before == after:
        return f"code of commit {before}"
    return f"**the code changed during the run**: {before} at the start, {after} at the end"


async def _run_bench(name: str, servers: Servers, rounds: int) -> Result:
    started = monotonic()
    try:
        async with BENCHES[name](servers) as bench:
            measurements = await measured(bench, rounds, say)
    except KafkaUnavailable as error:
        return Result(name, None, {}, str(error))
    except Exception as error:  # noqa: BLE001  if one bench fails, the others still run
        say(traceback.format_exc())
        return Result(name, None, {}, f"{type(error).__name__} {error}".splitlines()[0])
    say(f"  {monotonic() - started:.0f} s")
    return Result(name, bench, measurements)


async def _postgres_version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_setting('server_version')"))
    finally:
        await connection.close()


def main(names: Sequence[str]) -> None:
    """Run the benches of these names; without names run all and write results.md."""
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"Unknown bench: {', '.join(unknown)}. There are: {' '.join(BENCHES)}.")
    os.environ["PYTHONPATH"] = str(
        _RESULTS.parents[1]
    )  # for `kei run`, whose path does not include the working directory
    logs.set_up("bench", level="ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    telemetry.set_up("bench")
    lines = in_loop(_measure(names or list(BENCHES), int(os.environ.get("KEI_BENCH_ROUNDS", ROUNDS))))
    say("\n".join(lines))
    if not names:
        _RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
