"""Microseconds to write and read an event in binary mode: Kei's envelope against the library `cloudevents`.

python -m bench.envelope
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from timeit import repeat
from typing import Any

from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent

from shared.events import registry
from shared.events.envelope import Record, Stored, mirrored, parse, parse_structured

SAMPLE = Path(__file__).parents[1] / "tests/contracts/samples/kei.matching.pair.proposed.v1.json"
ROUNDS, CALLS = 7, 2_000


def write(event: Stored) -> Record:
    return event.record()


def write_by_library(attributes: dict[str, Any], data: bytes) -> kafka.KafkaMessage:
    return kafka.to_binary_event(CloudEvent(attributes, data))


def read_by_library(message: kafka.KafkaMessage) -> object:
    """The data is validated too, as `parse` does."""
    event = kafka.from_binary_event(message)
    return registry()[event.get_type()].model.model_validate(event.get_data(), strict=False)


def main() -> None:
    event = mirrored(parse_structured(SAMPLE.read_bytes()))
    record = event.record()
    topic = registry()[event.type].topic
    attributes = {name: value for name, value in json.loads(SAMPLE.read_bytes()).items() if name != "data"}
    attributes["time"] = event.time
    message = kafka.KafkaMessage(dict(record.headers), record.key, record.value or b"")
    calls: dict[str, Callable[[], object]] = {
        "write, Kei": partial(write, event),
        "write, cloudevents": partial(write_by_library, attributes, event.data),
        "read, Kei": partial(parse, record, topic),
        "read, cloudevents": partial(read_by_library, message),
    }
    for name, call in calls.items():
        seconds = median(repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS
        sys.stdout.write(f"{name:20}{seconds * 1e6:8.1f} µs\n")


if __name__ == "__main__":
    main()
