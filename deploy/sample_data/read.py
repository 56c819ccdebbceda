"""Reads a story file: every fault with its line and field, or the story. What passes here is refused by no service."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from deploy.sample_data.check import FileTree, Loc, content_faults, frameworks_of
from deploy.sample_data.model import Framework, SampleData
from shared import clock


class Fault(NamedTuple):
    """Something wrong in a file."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.message}"


class InvalidFile(Exception):
    """The file cannot be loaded; `faults` are all that was found, in order of line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ParsedFile(NamedTuple):
    """The content of a file, with all frameworks that it uses."""

    content: SampleData
    frameworks: list[Framework]


def read_file(path: Path) -> ParsedFile:
    """The story in a file.

    Raises:
        BadStory: naming every fault by line and field.
        OSError: the file cannot be read.
    """
    node, data = _parse(path.read_bytes())
    faults = [
        Fault(key.start_mark.line + 1, ".".join(at), "this key is there twice") for at, key in _duplicate_keys(node)
    ]
    story: SampleData | None = None
    malformed: list[tuple[Loc, str]] = []
    try:
        story = SampleData.model_validate(data)
    except ValidationError as error:
        malformed = list(_schema_faults(error, node, data))
    tree = FileTree(data, {at for at, _ in malformed})
    faults += _with_lines(node, [*malformed, *content_faults(tree, clock.now().date())])
    if faults or story is None:
        raise InvalidFile(faults)
    return ParsedFile(story, frameworks_of(story))


# --- YAML


class _Loader(yaml.SafeLoader):
    """YAML without code in it."""


def _parse_date(loader: _Loader, node: yaml.ScalarNode) -> object:
    """A day that is none (2017-02-30) stays text, for the format to refuse it by its place."""
    try:
        made: object = loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value
    return made


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _parse_date)


def _parse(text: bytes) -> tuple[yaml.Node, Any]:
    """The file's nodes and what they mean.

    Raises:
        BadStory: it is no YAML, or empty.
    """
    try:
        node = yaml.compose(text, _Loader)
        data = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count(b"\n") + 1
        raise InvalidFile([Fault(line, "file", f"not YAML: {error.reason}")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidFile([Fault(mark.line + 1 if mark else 1, "file", f"not YAML: {error.problem}")]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFile([Fault(1, "file", "not readable: nested too deep, or a number too large")]) from error
    if node is None or data is None:
        raise InvalidFile([Fault(1, "file", "the file is empty")])
    return node, data


def _duplicate_keys(root: yaml.Node) -> Iterator[tuple[tuple[str, ...], yaml.Node]]:
    """Each key that its mapping has already, with its place."""
    todo: list[tuple[tuple[str, ...], yaml.Node]] = [((), root)]
    known: set[int] = set()  # a node with an anchor is in several places, or in itself
    while todo:
        at, node = todo.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += [((*at, str(place)), child) for place, child in reversed(list(enumerate(node.value)))]
        elif isinstance(node, yaml.MappingNode):
            names = [str(key.value) for key, _ in node.value]
            yield from (
                ((*at, name), node.value[place][0]) for place, name in enumerate(names) if name in names[:place]
            )
            todo += [((*at, str(key.value)), child) for key, child in reversed(node.value)]


def _with_lines(root: yaml.Node, found: Iterable[tuple[Loc, str]]) -> list[Fault]:
    """The faults with their lines; what stands in the file once, but is used several times, is one fault."""
    faults: dict[object, Fault] = {}
    for at, message in found:
        line, node = _find(root, at)
        fault = Fault(line, ".".join(map(str, at)) or "file", message)
        faults.setdefault(fault if node is None else (id(node), message), fault)
    return list(faults.values())


def _find(node: yaml.Node, loc: Loc) -> tuple[int, yaml.Node | None]:
    """The line of the innermost node on the way that the file has, and the node at the end of the way."""
    line = node.start_mark.line + 1
    for part in loc:
        child = _child(node, part)
        if child is None:
            return line, None
        line, node = child[0].start_mark.line + 1, child[1]
    return line, node


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value of one part of a place; what `<<` brings in is found where it was written."""
    if isinstance(node, yaml.SequenceNode):
        fits = isinstance(part, int) and part < len(node.value)
        return (node.value[part], node.value[part]) if fits else None
    if not isinstance(node, yaml.MappingNode):
        return None
    merged: list[yaml.Node] = []
    for key, value in reversed(node.value):
        if key.value == str(part):
            return key, value
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
    return next((found for one in merged if (found := _child(one, part)) is not None), None)


# --- the format


def _schema_faults(error: ValidationError, node: yaml.Node, data: object) -> Iterator[tuple[Loc, str]]:
    """What does not fit the format, by place in the file."""
    for one in error.errors(include_url=False):
        loc: Loc = one["loc"]
        if loc[:1] == ("frameworks",) and len(loc) > 2:  # noqa: PLR2004  a name or a framework: one of them was meant
            whole = isinstance(FileTree(data, set()).get(*loc[:2]), dict)
            if (loc[2] == "Framework") is not whole:
                continue
            loc = (*loc[:2], *loc[3:])
        yield (
            tuple(part for part in loc if part != "[key]"),
            _fault_message(one["type"], one["msg"], _find(node, loc)[1], loc),
        )


def _fault_message(kind: str, message: str, node: yaml.Node | None, loc: Loc) -> str:
    if not loc:
        return "the file has to be a mapping: story, consortium, clusters …"
    if kind == "string_type" and (loc[-1] == "[key]" or (isinstance(node, yaml.ScalarNode) and node.value)):
        return f"has to be text; write it in quotes: '{str(loc[-2] if node is None else node.value)[:80]}'"
    return "there is no such field" if kind == "extra_forbidden" else message
