"""`python -m bench.matching [NAME …]`: measure the engine and write results.md; with names, print those only."""

import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from bench.harness import Bench, measured
from bench.machine import Busy, code, processor
from bench.matching import incremental, quality, replan, scores, solve
from bench.report import Result, say, tables
from services.matching.rules.engine import warm_up

ROUNDS = 5
PACKAGES = ("numpy", "numba", "ortools", "scipy", "highspy")
_RESULTS = Path(__file__).with_name("results.md")


async def _measured(benches: dict[str, Bench], names: Sequence[str], rounds: int) -> list[Result]:
    results = []
    for name in names:
        if name in benches:
            say(f"{name} …")
            results.append(Result(name, benches[name], await measured(benches[name], rounds, say)))
    return results


def main(prefixes: Sequence[str]) -> None:
    """Measure the benches whose names begin with a prefix; write results.md if there are no prefixes."""
    benches = {**solve.benches(), **incremental.benches(), **scores.benches(), **replan.benches()}
    all_names = [*benches, "quality"]
    names = [name for name in all_names if not prefixes or any(map(name.startswith, prefixes))]
    if not names:
        sys.exit(f"No bench begins with {', '.join(prefixes)}. There are: {' '.join(all_names)}.")
    begun, busy, rounds = monotonic(), Busy(), int(os.environ.get("KEI_BENCH_ROUNDS", ROUNDS))
    warm_up()
    results = asyncio.run(_measured(benches, names, rounds))
    quality_lines = ["", "## Quality", "", *quality.lines()] if "quality" in names else []
    lines = [
        "# The matching engine, measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `make bench-matching`, {(monotonic() - begun) / 60:.0f} minutes.",
        "[How to read it](../README.md).",
        "",
        f"- code of commit {code()}",
        f"- {os.cpu_count()} cores ({processor()}), Python {platform.python_version()}",
        f"- {', '.join(f'{name} {version(name)}' for name in PACKAGES)}",
        f"- {busy.stolen():.0%} of the processors' time was taken by the host",
        "",
        *tables(results),
        *quality_lines,
    ]
    say("\n".join(lines))
    if not prefixes:
        _RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
