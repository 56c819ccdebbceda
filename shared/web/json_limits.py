"""Limits of the size and depth of a JSON body, checked before validation. An error names the path of the value.

`json.loads` does not know the path, so its hooks leave a `_Violation` in the tree, and a walk over the tree finds it.
"""

import json
import math
from dataclasses import dataclass

MAX_DEPTH = 32
MAX_KEYS = 200
MAX_ITEMS = 500
MAX_INTEGER = 2**63

MAX_NODES = 20_000

Node = dict[str, object] | list[object]

_INT_DIGITS = 19
_MAX_PATH_LENGTH = 200


class NotJsonError(ValueError):
    """The bytes are not JSON in UTF-8."""


class LimitExceededError(ValueError):
    """The JSON is well-formed but exceeds a limit.

    Args:
        place: dotted path such as `body.needs.3.code`.
        message: a sentence.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path[:_MAX_PATH_LENGTH]
        self.message = message


@dataclass(frozen=True, slots=True)
class _Violation:
    message: str
    key: str = ""


def check(body: bytes) -> None:
    """Parse `body` once and check every node.

    Raises:
        NotJsonError: not UTF-8, a byte order mark, or not JSON.
        LimitExceededError: too deep, too many keys or items, a repeated key, NaN or infinity, an integer of more than
            64 bits, NUL or a lone surrogate in a string.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError("The body is not UTF-8.") from error
    if text.startswith("\ufeff"):
        raise NotJsonError("The body starts with a byte order mark.")
    # 100,000 empty lists or zeros would block the event loop for too long.
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


def _object(pairs: list[tuple[str, object]]) -> object:
    if len(pairs) > MAX_KEYS:
        return _Violation(f"More than {MAX_KEYS} keys.")
    value_of = dict(pairs)
    if len(value_of) == len(pairs):
        return value_of
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys:
            return _Violation("This key occurs twice.", key)
        keys.add(key)
    return value_of


def _integer(digits: str) -> object:
    if len(digits) <= _INT_DIGITS + 1 and -MAX_INTEGER <= int(digits) < MAX_INTEGER:
        return int(digits)
    return _Violation("The number is too large.")


def _number(digits: str) -> object:
    value = float(digits)
    return value if math.isfinite(value) else _Violation("The number is too large.")


_decode = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=lambda name: _Violation(f"{name} is not a JSON number."),
).decode


def _walk(tree: object) -> None:
    pending: list[tuple[str, object, int]] = [("body", tree, 1)]
    while pending:
        path, node, depth = pending.pop()
        if isinstance(node, str):
            _check_text(path, node)
        elif isinstance(node, dict | list):
            pending.extend(_children(path, node, depth))
        elif isinstance(node, _Violation):
            raise LimitExceededError(f"{path}.{_shown(node.key)}" if node.key else path, node.message)


def _children(path: str, node: Node, depth: int) -> list[tuple[str, object, int]]:
    if depth > MAX_DEPTH:
        raise LimitExceededError(path, _TOO_DEEP)
    if isinstance(node, list):
        if len(node) > MAX_ITEMS:
            raise LimitExceededError(path, f"More than {MAX_ITEMS} items.")
        return [(f"{path}.{index}", child, depth + 1) for index, child in enumerate(node)]
    for key in node:
        _check_text(path, key)
    return [(f"{path}.{_shown(key)}", child, depth + 1) for key, child in node.items()]


def _shown(key: str) -> str:
    """The key for an error message: short and printable."""
    return "".join(character if character.isprintable() else "?" for character in key[:50])


def _check_text(path: str, text: str) -> None:
    if "\0" in text:
        raise LimitExceededError(path, "Contains the NUL character.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise LimitExceededError(path, "Contains half of a surrogate pair.") from error
