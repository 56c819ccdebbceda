"""The question that a plan answers: all that it is made from, as plain values that can be asked again years later."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, NamedTuple, Self
from uuid import UUID

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.profile import Aim, Profile, Skill
from services.matching.rules.scoring.features import History, Table

FORM = 1
"""Number of the form in which questions are kept."""


class Two(NamedTuple):
    """A mentor and a learner."""

    mentor_id: UUID
    learner_id: UUID


class Past(NamedTuple):
    """A pair that is over: how (declined, expired, ended) and when."""

    mentor_id: UUID
    learner_id: UUID
    how: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whom to pair in a consortium, and by which criteria.

    `kept` pairs stay and take their places. `proposed` ones are open and take none yet: by the criteria's price a plan
    may drop them for others, without it they stay beside the plan. `asked` ones are open too: they answer a request and
    stay beside any plan. `arrived` are the days on which somebody asked for
    help. `forced` pairs are to be in the plan, `forbidden` ones not. The order of clusters and pairs says nothing: they
    are sorted.
    """

    today: date
    clusters: tuple[Profile, ...]
    kept: tuple[Two, ...] = ()
    proposed: tuple[Two, ...] = ()
    asked: tuple[Two, ...] = ()
    past: tuple[Past, ...] = ()
    arrived: tuple[date, ...] = ()
    forced: tuple[Two, ...] = ()
    forbidden: tuple[Two, ...] = ()
    criteria: Criteria = field(default_factory=Criteria)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "clusters", tuple(sorted(self.clusters, key=lambda one: one.id)))
        for name in ("kept", "proposed", "asked", "past", "arrived", "forced", "forbidden"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))

    def as_data(self) -> dict[str, Any]:
        """As it is kept as JSON."""
        pairs = {name: [list(map(str, two)) for two in getattr(self, name)] for name in _PAIRS}
        return {
            "form": FORM,
            "today": self.today.isoformat(),
            "clusters": [plain(one) for one in self.clusters],
            "arrived": [day.isoformat() for day in self.arrived],
            "criteria": self.criteria.model_dump(mode="json"),
            "seed": self.seed,
            **pairs,
        }

    def as_json(self) -> bytes:
        """In one form only: equal questions are equal bytes."""
        return json.dumps(self.as_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """The question that was kept.

        Raises:
            ValueError: it is kept in a form that this version does not read.
        """
        if kept["form"] != FORM:
            raise ValueError(f"A question of form {kept['form']}; this version reads form {FORM}.")
        past = (Past(UUID(one), UUID(other), how, date.fromisoformat(on)) for one, other, how, on in kept["past"])
        return cls(
            today=date.fromisoformat(kept["today"]),
            clusters=tuple(map(profile_of, kept["clusters"])),
            criteria=Criteria.read(kept["criteria"]),
            arrived=tuple(map(date.fromisoformat, kept.get("arrived", []))),
            seed=kept["seed"],
            past=tuple(past),
            **{name: twos_of(kept.get(name, [])) for name in _PAIRS if name != "past"},
        )

    @property
    def table(self) -> Table:
        """The clusters in numbers, with what was before."""
        paired = frozenset((one.mentor_id, one.learner_id) for one in self.past if one.how == "ended")
        declined = tuple((one.mentor_id, one.learner_id, one.on) for one in self.past if one.how != "ended")
        return Table(self.clusters, self.criteria, History(self.today, paired, declined))

    @property
    def digest(self) -> str:
        """SHA-256 of the question, in hexadecimal."""
        return hashlib.sha256(self.as_json()).hexdigest()


_PAIRS = ("kept", "proposed", "asked", "past", "forced", "forbidden")
_SETS = ("languages", "ecosystems", "stages")
_SKILLS = ("levels", "aims", "requests")


def plain(profile: Profile) -> dict[str, Any]:
    """A cluster as JSON."""
    data: dict[str, Any] = {one.name: getattr(profile, one.name) for one in fields(profile)}
    data |= {"id": str(profile.id), "record": list(profile.record)}
    data |= {name: sorted(data[name]) for name in _SETS}
    data |= {name: _flat(data[name]) for name in _SKILLS}
    return data


def profile_of(data: Mapping[str, Any]) -> Profile:
    """The cluster that `plain` made JSON of."""
    skills = {name: {Skill(*key.split("/", 1)): one for key, one in data[name].items()} for name in _SKILLS}
    skills["aims"] = {skill: Aim(*aim) for skill, aim in skills["aims"].items()}
    known: dict[str, Any] = {**data, "id": UUID(data["id"]), "record": tuple(data["record"]), **skills}
    known |= {name: frozenset(data[name]) for name in _SETS}
    return Profile(**known)


def _flat(skills: Mapping[Skill, Any]) -> dict[str, Any]:
    return {"/".join(skill): list(one) if isinstance(one, tuple) else one for skill, one in sorted(skills.items())}


def twos_of(pairs: Iterable[Iterable[str]]) -> tuple[Two, ...]:
    """Pairs that were kept as JSON."""
    return tuple(Two(*map(UUID, two)) for two in pairs)
