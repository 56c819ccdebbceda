"""What a JSON Schema cannot say, put right in the requests that schemathesis means to be good ones.

The days are in order, what is named exists, a key is good for one body, a cursor is signed, and no position lies in the
future. KEI_SEED has ids by the
names of fields, and by the first part of the paths they belong to.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

from shared import clock
from shared.events import registry
from tests.contracts.serving import FRAMEWORK, INDICATORS

_SEED: dict[str, str] = json.loads(os.environ.get("KEI_SEED", "{}"))
_PUBLIC = [entry.name for entry in registry().values() if entry.public]
_SEEN = {"runs": '"v2"', "mentorships": '"v3"'}
"""A run was running at first, a mentorship was confirmed by two."""
_NAMES = ("name", "title", "place", "region", "programme", "area", "sector_groups", "deliverables", "topics")
"""Fields that need a character that can be seen, which no pattern can tell."""
_FITTING: dict[str, Callable[[Any], Any]] = {
    "starts_on": lambda _: "2026-01-01",
    "ends_on": lambda _: "2026-01-02",
    "assessed_on": lambda _: "2020-01-01",
    "valid_until": lambda _: "2036-01-01",
    "framework": lambda _: FRAMEWORK,
    "indicator": lambda _: INDICATORS[0],
    "level": lambda value: int(value) % 6,
    "scores": lambda value: {INDICATORS[0]: len(value) % 6},
    "types": lambda value: _PUBLIC[: len(value)],
    "capacity": lambda value: max(int(value), 20),
    "forced": lambda _: [],
    "forbidden": lambda _: [],
    "levels": lambda _: [],
    "targets": lambda _: [],
    "without": lambda _: [],
    "criteria_set_id": lambda _: None,
    "reason": lambda _: None,
    "places": lambda _: {},
    "weights": lambda value: _fitting(value) if any(value.values()) else {},
    "until": lambda _: "2036-01-01",
    "on": lambda _: clock.now().date().isoformat(),
    "due_on": lambda _: "2036-01-01",
    "label_valid_until": lambda _: "2036-01-01",
    "website": lambda _: "https://example.org/a",
    "founded_on": lambda _: "2017-06",
    "goals": lambda _: [],
    "people": lambda _: {},
    "together_with": lambda _: [],
    "present": lambda _: [],
    "absent": lambda _: [],
}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ANN401, ARG001 - the hook's own signature
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    seen = _SEEN.get(case.operation.path.split("/")[1], '"v1"')
    seen = '"v999"' if case.operation.path.endswith("/archive") else seen  # all other operations need the cluster
    for name, value in (("Idempotency-Key", str(clock.new_id())), ("If-Match", seen), ("Last-Event-ID", "0")):
        if case.headers and name in case.headers:
            case.headers[name] = value
    for name in ("cursor", "types"):
        if case.query and name in case.query:
            del case.query[name]
    fitting: dict[str, object] = {"since": "2026-01-02", "until": "2036-01-01", "after": 0}
    if case.query:
        case.query.update({name: value for name, value in fitting.items() if name in case.query})
    for name in case.path_parameters or ():
        if name in _FITTING:
            case.path_parameters[name] = _FITTING[name](None)
        elif name == "id" and _is_made_up(case):
            case.path_parameters[name] = _SEED.get(case.operation.path.split("/")[1], case.path_parameters[name])
    case.body = _fitting(case.body)


def _is_made_up(case: Any) -> bool:  # noqa: ANN401 - schemathesis says no more
    """Whether the id in the path is none that an answer gave."""
    return case.meta is not None and case.meta.phase.name != TestPhase.STATEFUL and not case.meta.pool_draws


def _fitting(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _fit(name, child) for name, child in value.items()}
    if isinstance(value, list):
        return [_fitting(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fit(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if name in _SEED:
        return _SEED[name]
    if name in _NAMES and value is not None:
        return [f"n{number}" for number, _ in enumerate(value)] if isinstance(value, list) else f"x{value[1:].strip()}"
    return _FITTING[name](value) if name in _FITTING else _fitting(value)
