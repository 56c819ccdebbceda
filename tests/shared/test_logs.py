"""Log lines are JSON, carry the ids that join them, and cannot be forged from outside."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared import logs, telemetry


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.set_up("members", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_kinds_of_loggers_write_the_same_shape(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("a").info("ours", number=1)
        logging.getLogger("b").warning("theirs %s", 2, extra={"number": 2})
        logging.getLogger("c").debug("too much")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["number"], ours["level"], ours["logger"]) == ("ours", 1, "info", "a")
    assert (theirs["event"], theirs["number"], theirs["level"], theirs["logger"]) == ("theirs 2", 2, "warning", "b")
    assert ours["request_id"] == theirs["request_id"] == "r1"
    assert ours["service"] == theirs["service"] == "members"
    assert ours["timestamp"].endswith("Z")


def test_a_line_break_from_outside_stays_in_its_line(stream: io.StringIO) -> None:
    structlog.get_logger().info("name", value='x\n{"event": "forged"}')
    assert [line["event"] for line in lines(stream)] == ["name"]


def test_a_line_inside_a_span_names_it(stream: io.StringIO) -> None:
    telemetry.set_up("test")
    with telemetry.span("work"):
        parent = telemetry.traceparent()
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    inside, outside = lines(stream)
    assert parent is not None
    assert parent.startswith(f"00-{inside['trace_id']}-{inside['span_id']}-")
    assert "trace_id" not in outside


def test_an_exception_is_written_without_the_values_of_variables(stream: io.StringIO) -> None:
    def fail(password: str) -> None:
        raise ValueError(len(password))

    try:
        fail("hunter2")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert "ValueError: 7" in line["exception"]
    assert "hunter2" not in line["exception"].replace('fail("hunter2")', "")
