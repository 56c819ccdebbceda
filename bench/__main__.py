"""`python -m bench [NAME …]`: measure everything and write results.md, or only those named and print them."""

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

from bench.commit import a1, a1n
from bench.desk import desk
from bench.end_to_end import a5d, a5e
from bench.growth import growth
from bench.harness import Bench, measured
from bench.http import b
from bench.inbox_worker import a5c
from bench.ingest import a4
from bench.kafka_send import a3
from bench.machine import Busy, code, described
from bench.outbox_read import a2
from bench.relay_latency import a5b
from bench.relay_throughput import a5a
from bench.report import Result, say, tables
from bench.request_latency import d
from bench.servers import NoKafka, Stage, stage, sync_time
from bench.start import memory, start, story
from deploy.cli.common import in_loop
from shared import logs, telemetry

BENCHES: dict[str, Callable[[Stage], AbstractAsyncContextManager[Bench]]] = {
    "a1": a1,
    "a1n": a1n,
    "a2": a2,
    "a3": a3,
    "a4": a4,
    "a5a": a5a,
    "a5b": a5b,
    "a5c": a5c,
    "a5d": a5d,
    "a5e": a5e,
    "b": b,
    "d": d,
    "desk": desk,
    "start": start,
    "memory": memory,
    "story": story,
    "growth": growth,
}
ROUNDS = 5
_RESULTS = Path(__file__).with_name("results.md")


async def _measure(names: Sequence[str], rounds: int) -> list[str]:
    begun, busy, measuring = monotonic(), Busy(), code()
    results: list[Result] = []
    async with stage() as servers:
        machine = described(await _postgres(servers.postgres), sync_time(servers.root))
        for name in names:
            say(f"{name} …")
            results.append(await _one(name, servers, rounds))
    command = " ".join(["make bench", *([f"ARGS='{' '.join(names)}'"] if len(names) < len(BENCHES) else [])])
    if rounds != ROUNDS:
        command = f"KEI_BENCH_ROUNDS={rounds} {command}"
    return [
        "# Measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{command}`, {(monotonic() - begun) / 60:.0f} minutes.",
        "[How to read it](README.md).",
        "",
        f"- {_measured_code(measuring, code())}",
        *(f"- {line}" for line in machine),
        f"- {busy.stolen():.0%} of the processors' time was taken by the host",
        "",
        *tables(results),
    ]


def _measured_code(before: str, after: str) -> str:
    if before == after:
        return f"code of commit {before}"
    return f"**the code changed meanwhile**: {before} at the beginning, {after} at the end"


async def _one(name: str, servers: Stage, rounds: int) -> Result:
    begun = monotonic()
    try:
        async with BENCHES[name](servers) as bench:
            found = await measured(bench, rounds, say)
    except NoKafka as error:
        return Result(name, None, {}, str(error))
    except Exception as error:  # noqa: BLE001  one bench that fails leaves the others their time
        say(traceback.format_exc())
        return Result(name, None, {}, f"{type(error).__name__} {error}".splitlines()[0])
    say(f"  {monotonic() - begun:.0f} s")
    return Result(name, bench, found)


async def _postgres(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_setting('server_version')"))
    finally:
        await connection.close()


def main(names: Sequence[str]) -> None:
    """Measure; write the tables if everything was asked for."""
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"There is no {', '.join(unknown)}. There are: {' '.join(BENCHES)}.")
    os.environ["PYTHONPATH"] = str(_RESULTS.parents[1])  # for `kei run`, which does not look where it is started
    logs.set_up("bench", level="ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    telemetry.set_up("bench")
    lines = in_loop(_measure(names or list(BENCHES), int(os.environ.get("KEI_BENCH_ROUNDS", ROUNDS))))
    say("\n".join(lines))
    if not names:
        _RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
