"""A short soak run: it prints samples and their growth, and decides."""

import asyncio
import subprocess
import sys

import pytest

from tests.faults.samples import Process, Sample, Table, slopes
from tests.support.kei import ROOT

SHORT = ("--minutes", "0.2", "--transport", "local", "--fault-every", "9", "--sample-every", "2")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_short_soak_prints_samples_slopes_and_the_count() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.soak", *SHORT),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.terminate()
    assert process.returncode == 0, output
    lines = output.splitlines()
    first = next(place for place, line in enumerate(lines) if "RSS 1" in line) + 1
    assert all(line.split()[0].isdigit() for line in lines[first : first + 4])
    growing = {line[:26].strip() for line in lines if line.endswith("an hour")}
    assert {"RSS 1, MB", "fds 1", "tasks 1", "outbox, rows", "inbox, bytes a row"} <= growing
    (result,) = (line[34:].split() for line in lines if line.startswith("soak 0.2 min"))
    transport, injected, acked, seen, lost = result[:5]
    assert (transport, injected, lost) == ("local", "1", "0")
    assert int(seen) >= int(acked) > 100


def seen(at: float, process: Process, *, rows: int = 0, p99: float = 5.0, fault: str = "") -> Sample:
    return Sample(at, fault, [process], Table(1.0, rows), None, 0, p99)


def test_a_leak_is_seen_across_lives_and_a_warm_up_is_none() -> None:
    samples = []
    for life in (1, 2):
        for age in range(0, 600, 5):
            warming = 30.0 if age <= 60 else 0.0
            leaking = Process(life, age, rss=50 * life - warming + age / 3600, files=7, tasks=None)
            samples.append(seen(1000 * life + age, leaking, rows=1000 * life + age))
    growth = slopes(samples, warm=60)
    assert growth["RSS 1, MB"] == pytest.approx(1.0)
    assert growth["fds 1"] == 0
    assert growth["outbox, rows"] == pytest.approx(3600)
    assert growth["tasks 1"] is None
    assert growth["inbox, MB"] is None


def test_what_is_slow_because_of_a_fault_is_no_growth() -> None:
    process = Process(1, 100, 50, 7, 5)
    samples = [seen(at, process, p99=500.0 if at > 300 else 5.0, fault="slow" if at > 300 else "") for at in range(600)]
    assert slopes(samples, warm=0)["p99 without a fault, ms"] == pytest.approx(0)
