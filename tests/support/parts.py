"""All tests in parts, one pytest each: the quick ones, then what is long by nature. Prints time and counts per part.

python -m tests.support.parts [--until EPOCH] [--tally FILE] [PART...]     runs parts, all if none is named
python -m tests.support.parts --report --tally FILE                       prints what the runs with this file did
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {"faults": "tests/faults", "flows": "tests/flows", "browser": "tests/browser", "deployment": "tests/compose"}
PARTS = {
    "check": ["make", "check"],
    "quick": ["-m", "not long", "tests"],
    "services": ["-m", "long", "tests", *(f"--ignore={folder}" for folder in FOLDERS.values())],
    **{name: ["-m", "long", folder] for name, folder in FOLDERS.items()},
}
TESTED = [name for name in PARTS if name != "check"]
COUNTED = ("failed", "passed", "skipped", "errors")
STOP_TIMEOUT = 60.0
"""Seconds that pytest has after an interrupt to end its servers."""
_WEEK = 7 * 86400.0
_CLOSING = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s\b")
_NOTICE = re.compile(r"^(Docker:|\w+ tests skipped:) ")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class Result:
    """What one part did."""

    part: str
    seconds: float = 0.0
    status: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take the counts or a notice from a line of pytest."""
        plain = _COLOUR.sub("", line).rstrip("\n")
        if _NOTICE.match(plain):
            self.notices.append(plain)
        elif closing := _CLOSING.match(plain):
            words = (count.split() for count in closing[1].split(", "))
            self.counts = {"errors" if name == "error" else name: int(number) for number, name in words}

    def finish(self, status: int) -> None:
        """A part that ended badly without a failed test counts as an error: the last line has to say so."""
        self.status = status
        if self.part == "check":
            self.counts = {}
        if status and not self.counts.get("failed") and not self.counts.get("errors"):
            self.counts["errors"] = 1


def command(part: str, workers: int) -> list[str]:
    """The command line of a part."""
    if part == "check":
        return PARTS[part]
    number = 0 if part == "deployment" else workers  # one deployment, however many processors
    colour = "yes" if sys.stdout.isatty() else "no"
    spread = ["-n", str(number), "--dist", "worksteal"]
    return [sys.executable, "-m", "pytest", f"--color={colour}", *spread, *PARTS[part]]


def run(part: str, workers: int, until: float) -> Result:
    """Run a part, show its output, and interrupt it when the time is over."""
    result, begun, left = Result(part), time.monotonic(), until - time.time()
    if left <= 0:
        result.notices.append("not run: the time limit was reached before it")
        result.finish(1)
        return result
    sys.stdout.write(f"\n--- {part}\n")
    sys.stdout.flush()
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell does in the background; processes inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        subprocess.Popen(
            command(part, workers), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        _limited(process, left, result),
    ):
        _follow(process, result)
        result.finish(process.wait())
    result.seconds = time.monotonic() - begun
    return result


def _follow(process: "subprocess.Popen[bytes]", result: Result) -> None:
    """Show what it prints. After Ctrl-C, which pytest has had too, wait until it has ended its servers."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            text = line.decode(errors="replace")
            sys.stdout.write(text)
            sys.stdout.flush()
            result.read(text)
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            sys.stdout.write(process.communicate(timeout=STOP_TIMEOUT)[0].decode(errors="replace"))
        raise
    finally:
        if sys.exc_info()[0] is not None:
            process.kill()


@contextmanager
def _limited(process: "subprocess.Popen[bytes]", seconds: float, result: Result) -> Iterator[None]:
    """Interrupt the process after so many seconds, and kill it if it does not end then."""

    def interrupt() -> None:
        result.notices.append("interrupted: the time limit was reached")
        process.send_signal(signal.SIGINT)

    timers = [threading.Timer(seconds, interrupt), threading.Timer(seconds + STOP_TIMEOUT, process.kill)]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def report(results: Iterable[Result]) -> list[str]:
    """A line for each part, its notices, and a closing line as pytest writes it."""
    done = list(results)
    lines = [f"{'part':12}{'passed':>8}{'failed':>8}{'skipped':>9}{'errors':>8}{'time':>9}"]
    total: Counter[str] = Counter()
    for result in done:
        counts = Counter(result.counts)
        total += counts
        minutes = f"{int(result.seconds) // 60}:{int(result.seconds) % 60:02}"
        shown = f"{result.part:12}{counts['passed']:8}{counts['failed']:8}{counts['skipped']:9}{counts['errors']:8}"
        lines += [f"{shown}{minutes:>9}", *(f"    {notice}" for notice in result.notices)]
    seconds = sum(result.seconds for result in done)
    summary = ", ".join(f"{total[name]} {name}" for name in COUNTED if total[name]) or "no tests ran"
    return [*lines, f" {summary} in {seconds:.2f}s ".center(80, "=")]


def stored(tally: Path) -> list[Result]:
    """The results that earlier runs wrote."""
    return [Result(**json.loads(line)) for line in tally.read_text().splitlines()]


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments name; 0 if everything passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all tests if none is named")
    parser.add_argument("--workers", type=int, default=2, help="processes of pytest (2)")
    parser.add_argument("--until", type=float, default=time.time() + _WEEK, help="when to stop, in seconds since 1970")
    parser.add_argument("--tally", type=Path, help="a file that several calls add their results to")
    parser.add_argument("--report", action="store_true", help="run nothing; print the results in the tally")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    tally = chosen.tally or Path(tempfile.mkdtemp(prefix="kei-parts-"), "tally")
    tally.touch()
    if not chosen.report:
        for part in chosen.parts or TESTED:
            with tally.open("a") as file:
                file.write(json.dumps(asdict(run(part, chosen.workers, chosen.until))) + "\n")
    results = stored(tally)
    if chosen.report or chosen.tally is None:
        sys.stdout.write("\n" + "\n".join(report(results)) + "\n")
    return int(any(result.status for result in results))


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
