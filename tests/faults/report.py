"""A table with a line per fault: injections, effects and findings. A run without an injection fails."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checks import Findings
from tests.support.run import Run

FULL = os.environ.get("KEI_FAULTS") == "full"
SEED = int(os.environ.get("KEI_FAULTS_SEED", "20170628"))
HEAD = (
    f"{'fault':34} {'transport':6} {'injected':>8} {'acked':>7} {'seen':>7} {'lost':>5} {'raw dup':>8} {'eff dup':>8}"
    f" {'swaps':>6} {'stall s':>8} {'recov s':>8}  seed"
)


def count(reduced: int, full: int) -> int:
    """The number of repetitions: in `make test`, and in `make test-faults`."""
    return full if FULL else reduced


def table(run: Run) -> Path:
    """The file with the lines of a run."""
    return run.root / "faults"


def results(run: Run) -> list[str]:
    """The table of the run's faults; empty if there were none."""
    try:
        lines = sorted(table(run).read_text().splitlines())
    except FileNotFoundError:
        return []
    return ["", HEAD, *lines]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a fault. Times in seconds: the longest pause between two effects, and from recovery to drained."""

    fault: str
    transport: str
    injected: int
    acked: int
    seen: int
    raw_dup: int
    stall: float
    recovery: float
    findings: Findings

    def line(self) -> str:
        """The result as a line of the table."""
        lost, twice, swaps = self.findings.lost, self.findings.effect_dup, self.findings.swaps
        return (
            f"{self.fault:34} {self.transport:6} {self.injected:8} {self.acked:7} {self.seen:7} {lost:5}"
            f" {self.raw_dup:8} {twice:8} {swaps:6} {self.stall:8.1f} {self.recovery:8.1f}  {SEED}"
        )

    def settle(self, table: Path) -> None:
        """Write the line, then assert that every guarantee holds and that faults were injected.

        Raises:
            AssertionError: with the command that repeats the run.
        """
        with table.open("a") as file:
            file.write(f"{self.line()}\n")
        where = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        full = "KEI_FAULTS=full " if FULL else ""
        again = f"again: {full}KEI_FAULTS_SEED={SEED} make test ARGS='{where}'"
        assert self.injected > 0, f"nothing was injected; {again}"
        assert self.acked > 0, f"nothing was written; {again}"
        assert not self.findings.broken, f"{self.findings.broken}\n{HEAD}\n{self.line()}\n{again}"
