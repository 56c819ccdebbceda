"""Clocks that jump, differ and run too fast: order follows version and position, leases the database's clock."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import libfaketime
import pytest
from uuid_utils.compat import uuid7

from shared import clock
from tests.faults.harness import FaultHarness
from tests.faults.report import count
from tests.support.waiting import passing

pytestmark = pytest.mark.timeout(900)

_LIBRARY = next((Path(libfaketime.__file__).parent / "vendor").rglob("libfaketime.so.1"))
JUMPS = ("+1h", "-1h", "+0", "-10m", "+0 x2", "+10m", "+0")
"""From one to the next: two hours back, ten minutes' skew, twice as fast."""


async def test_f29_the_clocks_of_nodes_and_writers_jump(
    harness: FaultHarness, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process has its own changing clock; writers have a random clock."""
    for name in ("one", "other"):
        harness.environment = _skewed(tmp_path / name)
        role = {} if harness.kafka is None else {"consumes": name == "one", "relays": name == "other"}
        await harness.start_process(lease=1.0, **role)
    assert _hours_ahead(_skewed(tmp_path / "shown", "+1h")) == 1
    writers = harness.writers()
    jumps = 0
    with _no_two_alike(monkeypatch, harness.rng):
        for turn in range(count(1, 6)):
            for at, jump in enumerate(JUMPS):
                (tmp_path / "one").write_text(jump)
                (tmp_path / "other").write_text(JUMPS[(at + turn + 3) % len(JUMPS)])
                jumps += 2
                await writers.write(count(60, 500))
                await passing(0.3)
    (await harness.result("F29 clocks jump", jumps, writers, time.monotonic())).settle(table)


def _skewed(file: Path, jump: str = "+0") -> dict[str, str]:
    """The environment that sets a process's clock by a file, read each second; its monotonic clock is unchanged."""
    file.write_text(jump)
    return {
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _hours_ahead(environment: dict[str, str]) -> int:
    """The offset of the clock of a process with this environment, in hours."""
    command = (sys.executable, "-c", "import time; print(time.time())")
    process = subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
    return round((float(process.stdout) - time.time()) / 3600)


@contextmanager
def _no_two_alike(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> Iterator[None]:
    """Shift the time and id of each event of this process by up to an hour."""
    real = clock.now

    def now() -> datetime:
        return real() + timedelta(seconds=rng.uniform(-3600, 3600))

    def new_id() -> UUID:
        moment = now()
        return UUID(int=int(moment.timestamp() * 1000) << 80 | uuid7().int & ((1 << 80) - 1))

    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", now)
        patched.setattr(clock, "new_id", new_id)
        yield
