"""What a JSON body may look like before anyone asks what it means. Anything refused here is refused with its place.

`json.loads` cannot say where a fault is, so it leaves a `_Fault` in the tree, and one walk over the tree finds it.
"""

import json
import math
from dataclasses import dataclass

MAX_DEPTH = 32
MAX_KEYS = 200
MAX_ITEMS = 500
MAX_INT = 2**63

MAX_NODES = 20_000

Node = dict[str, object] | list[object]

_INT_DIGITS = 19
_MAX_PLACE = 200


class NotJsonError(ValueError):
    """The bytes are not UTF-8 JSON at all."""


class LimitExceededError(ValueError):
    """The JSON is well-formed but of a shape no request of ours has.

    Args:
        place: dotted path such as `body.needs.3.code`.
        message: a sentence about what is wrong there.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place[:_MAX_PLACE]
        self.message = message


@dataclass(frozen=True, slots=True)
class _Fault:
    message: str
    key: str = ""


def check(body: bytes) -> None:
    """Parse `body` once and look at every node.

    Raises:
        NotJson: not UTF-8, a byte order mark, or not JSON.
        BadStructure: too deep, too many keys or items, a repeated key, NaN or infinity, an integer of more than
            64 bits, NUL or a lone surrogate in a string.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError("The body is not UTF-8.") from error
    if text.startswith("\ufeff"):
        raise NotJsonError("The body starts with a byte order mark.")
    # A hundred thousand empty lists or zeros would hold up everybody else for longer than they are worth.
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > MAX_NODES:
        raise LimitExceededError("body", f"More than {MAX_NODES} values.")
    try:
        tree = _decode(text)
    except RecursionError as error:
        raise LimitExceededError("body", _TOO_DEEP) from error
    except ValueError as error:
        raise NotJsonError("The body is not JSON.") from error
    _walk(tree)


_TOO_DEEP = f"Nested more than {MAX_DEPTH} levels deep."


def _pairs(pairs: list[tuple[str, object]]) -> object:
    if len(pairs) > MAX_KEYS:
        return _Fault(f"More than {MAX_KEYS} keys.")
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _Fault("This key is there twice.", key)
        seen.add(key)
    return found


def _integer(digits: str) -> object:
    if len(digits) <= _INT_DIGITS + 1 and -MAX_INT <= int(digits) < MAX_INT:
        return int(digits)
    return _Fault("The number is too large.")


def _number(digits: str) -> object:
    value = float(digits)
    return value if math.isfinite(value) else _Fault("The number is too large.")


_decode = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=lambda name: _Fault(f"{name} is not a JSON number."),
).decode


def _walk(tree: object) -> None:
    todo: list[tuple[str, object, int]] = [("body", tree, 1)]
    while todo:
        place, node, depth = todo.pop()
        if isinstance(node, str):
            _check_text(place, node)
        elif isinstance(node, dict | list):
            todo.extend(_children(place, node, depth))
        elif isinstance(node, _Fault):
            raise LimitExceededError(f"{place}.{_shown(node.key)}" if node.key else place, node.message)


def _children(place: str, node: Node, depth: int) -> list[tuple[str, object, int]]:
    if depth > MAX_DEPTH:
        raise LimitExceededError(place, _TOO_DEEP)
    if isinstance(node, list):
        if len(node) > MAX_ITEMS:
            raise LimitExceededError(place, f"More than {MAX_ITEMS} items.")
        return [(f"{place}.{index}", child, depth + 1) for index, child in enumerate(node)]
    for key in node:
        _check_text(place, key)
    return [(f"{place}.{_shown(key)}", child, depth + 1) for key, child in node.items()]


def _shown(key: str) -> str:
    """The key as it may stand in an answer: short and printable."""
    return "".join(character if character.isprintable() else "?" for character in key[:50])


def _check_text(place: str, text: str) -> None:
    if "\0" in text:
        raise LimitExceededError(place, "Contains the NUL character.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise LimitExceededError(place, "Contains half of a surrogate pair.") from error
