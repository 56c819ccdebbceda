"""The parts of `make test-all`: what is read from pytest's lines, and what the last lines say."""

import sys
import time

import pytest

from tests.support import parts
from tests.support.parts import Result, report


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("=== 1 failed, 20 passed, 3 skipped in 61.20s (0:01:01) ===\n", {"failed": 1, "passed": 20, "skipped": 3}),
        (
            "\x1b[32m==== \x1b[32m\x1b[1m2 passed\x1b[0m, 1 error\x1b[32m in 0.10s\x1b[0m ===\n",
            {"passed": 2, "errors": 1},
        ),
        ("5 passed in 1.00s\n", {"passed": 5}),
        ("a test that says 3 passed in passing\n", {}),
    ],
)
def test_counts_are_read_from_the_closing_line(line: str, counts: dict[str, int]) -> None:
    result = Result("quick")
    result.read(line)
    assert result.counts == counts


def test_the_last_lines_count_each_part_and_the_whole() -> None:
    quick = Result("quick", 61.0, 0, {"passed": 20, "skipped": 1}, ["Kafka tests skipped: 1 (no broker)"])
    faults = Result("faults", 9.0, 1, {"passed": 2, "failed": 1})
    assert [line.split() for line in report([quick, faults])[1:4]] == [
        ["quick", "20", "0", "1", "0", "1:01"],
        ["Kafka", "tests", "skipped:", "1", "(no", "broker)"],
        ["faults", "2", "1", "0", "0", "0:09"],
    ]
    assert report([quick, faults])[-1].strip("= ") == "1 failed, 22 passed, 1 skipped in 70.00s"


def test_a_part_without_a_test_result_that_ended_badly_is_an_error() -> None:
    crashed = Result("flows")
    crashed.finish(3)
    assert report([crashed])[-1].strip("= ") == "1 errors in 0.00s"


def test_a_part_ends_at_the_time_limit_and_the_next_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping = [sys.executable, "-c", "import signal; print('3 passed in 1.00s', flush=True); signal.pause()"]
    monkeypatch.setattr(parts, "command", lambda *_: sleeping)
    until = time.time() + 1.0
    first, second = (parts.run(part, 2, until) for part in ("faults", "flows"))
    assert (first.counts, first.notices) == ({"passed": 3, "errors": 1}, ["interrupted: the time limit was reached"])
    assert second.notices == ["not run: the time limit was reached before it"]
    assert first.status
    assert second.status
