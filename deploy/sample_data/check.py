"""Faults that the schema cannot find: unknown names, duplicates, levels off the scale, and the services' limits.

Malformed places are skipped, and so are checks that depend on them.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from deploy.sample_data.model import Framework, SampleData
from services.members.commands.assessments import NewAssessment
from services.members.commands.clusters import NewCluster
from services.members.commands.consortia import NewConsortium
from services.members.commands.frameworks import NewFramework
from services.members.commands.service_requests import NewServiceRequest
from services.members.commands.targets import NewTarget
from services.trainings.commands.activities import NewActivity
from services.trainings.commands.registrations import NewRegistration

Loc = tuple[str | int, ...]
Faults = Iterator[tuple[Loc, str]]
"""Places, each with the message of a fault."""
_SHIPPED = Path(__file__).parent.parent / "frameworks"


@dataclass(frozen=True, slots=True)
class FileTree:
    """The content of a file, with its malformed places."""

    data: Any
    malformed: Collection[Loc]

    def get(self, *loc: str | int) -> Any:  # noqa: ANN401  any value of the file
        """The value at a place; None if there is no value, or it is part of a malformed value."""
        node = self.data
        for depth, part in enumerate(loc):
            inside = isinstance(part, int) and isinstance(node, list) and part < len(node)
            if not self.sound(loc[: depth + 1]) or not (inside or (isinstance(node, dict) and part in node)):
                return None
            node = node[part]
        return node

    def sound(self, loc: Loc) -> bool:
        """Whether neither the place nor a place that contains it is malformed."""
        return not any(loc[:depth] in self.malformed for depth in range(len(loc) + 1))

    def each(self, *loc: str | int) -> list[Loc]:
        """The places of the items of a list or a mapping."""
        node = self.get(*loc)
        if isinstance(node, dict):
            return [(*loc, name) for name in node if isinstance(name, str)]
        return [(*loc, place) for place in range(len(node))] if isinstance(node, list) else []


@dataclass(frozen=True, slots=True)
class _Scale:
    """The scale and the indicators of a framework; None for a malformed value."""

    highest: int | None
    indicators: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Definitions:
    """The frameworks and clusters that a file may refer to; a faulty framework is None.

    `frameworks` or `slugs` is None if a name in it is malformed: a reference might mean that name.
    """

    tree: FileTree
    frameworks: Mapping[str, _Scale | None] | None
    slugs: frozenset[str] | None

    def cluster(self, at: Loc) -> Faults:
        """Faults of a reference to a cluster."""
        slug = self.tree.get(*at)
        if slug is not None and self.slugs is not None and slug not in self.slugs:
            yield at, f"no cluster {slug!r} in this file"

    def framework(self, at: Loc) -> Faults:
        """Faults of a reference to a framework."""
        code = self.tree.get(*at)
        if code is not None and self.frameworks is not None and code not in self.frameworks:
            yield at, f"{code!r} is not among this file's frameworks"

    def indicator(self, at: Loc, code: object, indicator: object) -> Faults:
        """Faults of a reference to an indicator of a framework."""
        scale = self._scale(code)
        if scale and scale.indicators is not None and indicator is not None and indicator not in scale.indicators:
            yield at, f"{code} has no indicator {indicator!r}"

    def level(self, at: Loc, code: object, level: int | None) -> Faults:
        """Faults of a level on a framework's scale."""
        scale = self._scale(code)
        if scale and scale.highest is not None and level is not None and level > scale.highest:
            yield at, f"{level} is over the scale's end, {scale.highest}"

    def _scale(self, code: object) -> _Scale | None:
        return self.frameworks.get(code) if self.frameworks is not None and isinstance(code, str) else None


@cache
def _shipped_frameworks() -> dict[str, Framework]:
    files = sorted(_SHIPPED.glob("*.yaml"))
    return {file.stem: TypeAdapter(Framework).validate_python(yaml.safe_load(file.read_text())) for file in files}


def frameworks_of(story: SampleData) -> list[Framework]:
    """The frameworks of a valid story, in full."""
    return [_shipped_frameworks()[entry] if isinstance(entry, str) else entry for entry in story.frameworks]


def content_faults(tree: FileTree, today: date) -> Faults:
    """All faults that the schema does not find."""
    known = _Definitions(tree, _frameworks(tree), _slugs(tree))
    yield from _unknown_frameworks(tree)
    yield from _duplicates(tree, tree.each("clusters"), "slug")
    yield from _duplicates(tree, tree.each("activities"), "ref")
    yield from _duplicates(tree, tree.each("requests"), "cluster", "framework", "indicator")
    yield from known.cluster(("consortium", "coordinator_slug"))
    yield from _order(tree, ("consortium",), "starts_on", "ends_on")
    for at in tree.each("clusters"):
        yield from _cluster(known, at, today)
    for at in tree.each("activities"):
        yield from _activity(known, at, today)
    for at in tree.each("requests"):
        yield from known.cluster((*at, "cluster"))
        yield from known.framework((*at, "framework"))
        named = (tree.get(*at, "framework"), tree.get(*at, "indicator"))
        yield from known.indicator((*at, "indicator"), *named)
    for answers in ("answers_to_requests", "answers_to_plan", "mentorships"):
        for at in tree.each(answers):
            yield from known.cluster((*at, "learner"))
    yield from _refused_by_services(tree)


def _slugs(tree: FileTree) -> frozenset[str] | None:
    slugs = [tree.get(*at, "slug") for at in tree.each("clusters")]
    return frozenset(slugs) if slugs and None not in slugs else None


def _frameworks(tree: FileTree) -> dict[str, _Scale | None] | None:
    scales: dict[str, _Scale | None] = {}
    for at in tree.each("frameworks"):
        entry = tree.get(*at)
        code = entry if isinstance(entry, str) else tree.get(*at, "code")
        if code is None:
            return None
        known = _shipped_frameworks().get(code) if isinstance(entry, str) else None
        if known:
            scales[code] = _Scale(known.scale_max, frozenset(indicator.code for indicator in known.indicators))
        elif isinstance(entry, dict):
            listed = [tree.get(*indicator, "code") for indicator in tree.each(*at, "indicators")]
            whole = bool(listed) and None not in listed
            scales[code] = _Scale(tree.get(*at, "scale_max"), frozenset(listed) if whole else None)
        else:
            scales[code] = None
    return scales if tree.sound(("frameworks",)) else None


def _unknown_frameworks(tree: FileTree) -> Faults:
    codes: set[str] = set()
    for at in tree.each("frameworks"):
        entry = tree.get(*at)
        code = entry if isinstance(entry, str) else tree.get(*at, "code")
        place = at if isinstance(entry, str) else (*at, "code")
        if isinstance(entry, str) and entry not in _shipped_frameworks():
            yield at, f"no framework {entry!r} is shipped; there are {', '.join(_shipped_frameworks())}"
        elif code is not None and code in codes:
            yield place, f"{code!r} is there twice"
        codes |= {code} - {None}
        yield from _duplicates(tree, tree.each(*at, "indicators"), "code")


def _cluster(known: _Definitions, at: Loc, today: date) -> Faults:
    tree = known.tree
    whole = tree.get(*at)
    if not isinstance(whole, dict):
        return
    if tree.get(*at, "targets") and whole.get("assessment") is None:
        yield (*at, "targets"), "targets need an assessment, whose framework they use"
    yield from known.framework((*at, "assessment", "framework"))
    yield from _order(tree, (*at, "assessment"), "assessed_on", "valid_until")
    assessed_on = tree.get(*at, "assessment", "assessed_on")
    if assessed_on is not None and assessed_on > today:
        yield (*at, "assessment", "assessed_on"), "lies in the future"
    code = tree.get(*at, "assessment", "framework")
    for score in tree.each(*at, "assessment", "scores"):
        if tree.sound(score):
            yield from known.indicator(score, code, score[-1])
            yield from known.level(score, code, tree.get(*score))
    for target in tree.each(*at, "targets"):
        if tree.sound(target):
            yield from known.indicator(target, code, target[-1])
            yield from known.level((*target, "level"), code, tree.get(*target, "level"))


def _activity(known: _Definitions, at: Loc, today: date) -> Faults:
    tree = known.tree
    yield from known.cluster((*at, "host"))
    yield from _order(tree, at, "starts_on", "ends_on")
    starts_on, seats = tree.get(*at, "starts_on"), tree.get(*at, "capacity")
    if tree.get(*at, "completed") and starts_on is not None and starts_on > today:
        yield (*at, "completed"), "an activity that begins in the future is not over"
    for taught in tree.each(*at, "teaches"):
        yield from known.framework((*taught, "framework"))
        named = (tree.get(*taught, "framework"), tree.get(*taught, "indicator"))
        yield from known.indicator((*taught, "indicator"), *named)
    yield from _duplicates(tree, tree.each(*at, "registrations"), "cluster")
    for registration in tree.each(*at, "registrations"):
        yield from known.cluster((*registration, "cluster"))
        requested = tree.get(*registration, "seats")
        if seats is not None and requested is not None and requested > seats:
            yield (*registration, "seats"), f"{requested} seats are more than the activity has: {seats}"


def _order(tree: FileTree, at: Loc, first: str, last: str) -> Faults:
    begin, end = tree.get(*at, first), tree.get(*at, last)
    if begin is not None and end is not None and end < begin:
        yield (*at, last), f"before {first}"


def _duplicates(tree: FileTree, places: list[Loc], *names: str) -> Faults:
    """Faults of items that have the same values of these fields as an earlier item."""
    seen: set[tuple[object, ...]] = set()
    for at in places:
        values = tuple(tree.get(*at, name) for name in names)
        if None not in values and values in seen:
            yield (*at, names[-1]), f"{' '.join(map(repr, values))} is there twice"
        seen.add(values)


# --- validation by the services' request models

_ID = "00000000-0000-0000-0000-000000000000"
_BODIES: tuple[tuple[Loc, type[BaseModel], dict[str, str], frozenset[str]], ...] = (
    (("consortium",), NewConsortium, {}, frozenset()),
    (("frameworks", "*"), NewFramework, {}, frozenset()),
    (("clusters", "*"), NewCluster, {"consortium_id": _ID}, frozenset({"assessment", "targets"})),
    (("clusters", "*", "assessment"), NewAssessment, {}, frozenset()),
    (("clusters", "*", "targets", "*"), NewTarget, {}, frozenset()),
    (
        ("activities", "*"),
        NewActivity,
        {"consortium_id": _ID, "host_cluster_id": _ID},
        frozenset({"ref", "host", "registrations", "completed"}),
    ),
    (("activities", "*", "registrations", "*"), NewRegistration, {"cluster_id": _ID}, frozenset({"cluster", "absent"})),
    (("requests", "*"), NewServiceRequest, {}, frozenset({"cluster"})),
)
"""The request that each part of the file becomes: path, body, additional fields, fields left out."""


def _refused_by_services(tree: FileTree) -> Faults:
    for path, body, additional, left_out in _BODIES:
        for at in _matching(tree, (), path):
            part = tree.get(*at)
            if not isinstance(part, dict):
                continue
            values = {
                name: part[name] for *_, name in tree.each(*at) if name not in left_out and tree.sound((*at, name))
            }
            try:
                body.model_validate_json(json.dumps(values | additional, default=str, skipkeys=True))
            except ValidationError as error:
                for detail in error.errors(include_url=False, include_context=False, include_input=False):
                    loc = (*at, *(part for part in detail["loc"] if part != "[key]"))
                    if tree.sound(loc):
                        yield loc, detail["msg"]


def _matching(tree: FileTree, at: Loc, path: Loc) -> list[Loc]:
    """The places that match a path; `*` matches each item of a list or mapping."""
    if not path:
        return [at]
    steps = tree.each(*at) if path[0] == "*" else [(*at, path[0])]
    return [place for step in steps for place in _matching(tree, step, path[1:])]
