"""Three things a JSON Schema cannot say, put right in the requests that schemathesis means to be good ones."""

from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode

from shared import clock


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ANN401, ARG001 - the hook's own signature
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(clock.new_id())  # a key is good for one body
    if case.query and "cursor" in case.query:
        del case.query["cursor"]  # a cursor is signed
    case.body = _whole(case.body)  # to a schema 1.0 is an integer, to a strict edge it is not


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _whole(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_whole(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
