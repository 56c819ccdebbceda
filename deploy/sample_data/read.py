"""Read a story file: return the story, or every fault with its line and field. No service refuses a valid story."""

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
    """The file cannot be loaded; `faults` are all its faults, in order of line."""

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
        InvalidFile: with every fault by line and field.
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
    """A loader that runs no code of the file."""


def _parse_date(loader: _Loader, node: yaml.ScalarNode) -> object:
    """An invalid date (2017-02-30) stays text, so that validation refuses it with its place."""
    try:
        parsed: object = loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value
    return parsed


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _parse_date)


def _parse(text: bytes) -> tuple[yaml.Node, Any]:
    """The nodes of a file, and their values.

    Raises:
        InvalidFile: the file is not YAML, or empty.
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
    """Each repeated key of a mapping, with its place."""
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


def _with_lines(root: yaml.Node, faults_at_places: Iterable[tuple[Loc, str]]) -> list[Fault]:
    """The faults with their lines; a fault in an anchor is reported once, however often the anchor is used."""
    faults: dict[object, Fault] = {}
    for at, message in faults_at_places:
        line, node = _find(root, at)
        fault = Fault(line, ".".join(map(str, at)) or "file", message)
        faults.setdefault(fault if node is None else (id(node), message), fault)
    return list(faults.values())


def _find(node: yaml.Node, loc: Loc) -> tuple[int, yaml.Node | None]:
    """The line of the innermost existing node on a path, and the node at the end of the path (None if missing)."""
    line = node.start_mark.line + 1
    for part in loc:
        child = _child(node, part)
        if child is None:
            return line, None
        line, node = child[0].start_mark.line + 1, child[1]
    return line, node


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value of one part of a place; values that `<<` merges have the place of their anchor."""
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
    return next((child for mapping in merged if (child := _child(mapping, part)) is not None), None)


# --- the schema


def _schema_faults(error: ValidationError, node: yaml.Node, data: object) -> Iterator[tuple[Loc, str]]:
    """The faults that the schema finds, by place in the file."""
    for detail in error.errors(include_url=False):
        loc: Loc = detail["loc"]
        if loc[:1] == ("frameworks",) and len(loc) > 2:  # noqa: PLR2004  errors of both variants, a name and a framework
            whole = isinstance(FileTree(data, set()).get(*loc[:2]), dict)
            if (loc[2] == "Framework") is not whole:
                continue
            loc = (*loc[:2], *loc[3:])
        yield (
            tuple(part for part in loc if part != "[key]"),
            _fault_message(detail["type"], detail["msg"], _find(node, loc)[1], loc),
        )


def _fault_message(kind: str, message: str, node: yaml.Node | None, loc: Loc) -> str:
    if not loc:
        return "the file has to be a mapping: story, consortium, clusters …"
    if kind == "string_type" and (loc[-1] == "[key]" or (isinstance(node, yaml.ScalarNode) and node.value)):
        return f"has to be text; write it in quotes: '{str(loc[-2] if node is None else node.value)[:80]}'"
    return "there is no such field" if kind == "extra_forbidden" else message
