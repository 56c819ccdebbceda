"""Whether a schema may replace another within one version: readers of the old one must not notice."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_SAYS_NOTHING = {"$schema", "$id", "title", "description", "default", "examples", "$defs", "properties", "required"}


def breaks(old: Json, new: Json) -> list[str]:
    """What is not additive, each as `data.place/keyword: what happened`; empty if nothing is.

    Not additive are: a property that went, a new or dropped promise in `required`, and any other type, format or bound.
    """
    return list(_breaks(old, new, old, new, "data"))


def _breaks(old: Any, new: Any, was: Json, now: Json, place: str) -> Iterator[str]:  # noqa: ANN401  any part of a schema
    old, new = _resolved(old, was), _resolved(new, now)
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{place}: {old!r} became {new!r}"
        return
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    yield from (f"{place}.{name}: is required now" for name in sorted(after - before))
    properties = new.get("properties", {})
    yield from (f"{place}.{name}: may be missing now" for name in sorted((before - after) & properties.keys()))
    for name, field in old.get("properties", {}).items():
        if name not in properties:
            yield f"{place}.{name}: is gone"
        else:
            yield from _breaks(field, properties[name], was, now, f"{place}.{name}")
    for key in sorted((old.keys() | new.keys()) - _SAYS_NOTHING):
        yield from _keyword_differences(key, old, new, (was, now), place)


def _keyword_differences(key: str, old: Json, new: Json, roots: tuple[Json, Json], place: str) -> Iterator[str]:
    """The differences in one keyword, such as `type`, `items` or `anyOf`."""
    at = f"{place}/{key}"
    before, after = old.get(key), new.get(key)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _breaks(left, right, *roots, f"{at}/{number}")
    else:
        yield from _breaks(before, after, *roots, at)


def _resolved(node: Any, root: Json) -> Any:  # noqa: ANN401  any part of a schema
    if isinstance(node, dict) and "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return {**root["$defs"][name], **{key: value for key, value in node.items() if key != "$ref"}}
    return node
