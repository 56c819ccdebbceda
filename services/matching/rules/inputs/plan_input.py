"""The plan input: everything that a plan depends on, as plain values that can be stored and replayed years later."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, NamedTuple, Self
from uuid import UUID

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel

FORMAT = 1
"""Version of the JSON format in which plan inputs are stored."""


class PairKey(NamedTuple):
    """The ids of a mentor and a learner."""

    mentor_id: UUID
    learner_id: UUID


class PastPair(NamedTuple):
    """A pair that is over: its last state (declined, expired or ended), and since when."""

    mentor_id: UUID
    learner_id: UUID
    state: str
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """The clusters of a consortium, their pairs so far, and the criteria of the plan.

    The order of clusters and pairs has no meaning: they are sorted.

    Attributes:
        fixed_pairs: accepted pairs; they stay in every plan and take slots.
        open_proposals: proposals of earlier plans; they take no slot. The plan may withdraw them at the criteria's
            move price; without a price all of them stay, outside the plan.
        request_proposals: open proposals for a service request; they stay, outside every plan.
        past_pairs: pairs that are over.
        arrival_dates: days on which clusters asked for help.
        forced: pairs that the plan has to contain.
        forbidden: pairs that the plan must not contain.
    """

    today: date
    clusters: tuple[Profile, ...]
    fixed_pairs: tuple[PairKey, ...] = ()
    open_proposals: tuple[PairKey, ...] = ()
    request_proposals: tuple[PairKey, ...] = ()
    past_pairs: tuple[PastPair, ...] = ()
    arrival_dates: tuple[date, ...] = ()
    forced: tuple[PairKey, ...] = ()
    forbidden: tuple[PairKey, ...] = ()
    criteria: Criteria = field(default_factory=Criteria)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "clusters", tuple(sorted(self.clusters, key=lambda cluster: cluster.id)))
        for name in (*_PAIR_KEYS, "past_pairs", "arrival_dates"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))

    def as_data(self) -> dict[str, Any]:
        """The JSON value that is stored."""
        return {
            "form": FORMAT,
            "today": self.today.isoformat(),
            "clusters": [profile_as_data(cluster) for cluster in self.clusters],
            "arrived": [day.isoformat() for day in self.arrival_dates],
            "criteria": self.criteria.model_dump(mode="json"),
            "seed": self.seed,
            "past": [list(map(str, pair)) for pair in self.past_pairs],
            **{key: [list(map(str, pair)) for pair in getattr(self, name)] for name, key in _PAIR_KEYS.items()},
        }

    def as_json(self) -> bytes:
        """Canonical JSON: equal inputs are equal bytes."""
        return json.dumps(self.as_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The plan input that was stored.

        Raises:
            ValueError: it is stored in another format.
        """
        if data["form"] != FORMAT:
            raise ValueError(f"A plan input of format {data['form']}; this version reads format {FORMAT}.")
        past_pairs = (
            PastPair(UUID(mentor), UUID(learner), state, date.fromisoformat(since))
            for mentor, learner, state, since in data["past"]
        )
        return cls(
            today=date.fromisoformat(data["today"]),
            clusters=tuple(map(profile_from_data, data["clusters"])),
            criteria=Criteria.from_data(data["criteria"]),
            arrival_dates=tuple(map(date.fromisoformat, data.get("arrived", []))),
            seed=data["seed"],
            past_pairs=tuple(past_pairs),
            **{name: pair_keys(data.get(key, [])) for name, key in _PAIR_KEYS.items()},
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.as_json()).hexdigest()


_PAIR_KEYS = {
    "fixed_pairs": "kept",
    "open_proposals": "proposed",
    "request_proposals": "asked",
    "forced": "forced",
    "forbidden": "forbidden",
}
"""Key in the stored JSON of each tuple of pairs."""
_PROFILE_KEYS = {"targets": "aims", "mentor_slots": "mentor_places", "learner_slots": "learner_places"}
"""Key in the stored JSON of each field of a profile, where it differs from the field's name."""
_SETS = ("languages", "ecosystems", "stages")
_BY_SKILL = ("levels", "targets", "requests")


def profile_as_data(profile: Profile) -> dict[str, Any]:
    """The JSON value of a cluster."""
    values: dict[str, Any] = {item.name: getattr(profile, item.name) for item in fields(profile)}
    values |= {"id": str(profile.id), "record": list(profile.record)}
    values |= {name: sorted(values[name]) for name in _SETS}
    values |= {name: _by_text(values[name]) for name in _BY_SKILL}
    return {_PROFILE_KEYS.get(name, name): value for name, value in values.items()}


def profile_from_data(data: Mapping[str, Any]) -> Profile:
    """The cluster of a JSON value that `profile_as_data` made."""
    keys = {item.name: _PROFILE_KEYS.get(item.name, item.name) for item in fields(Profile)}
    values: dict[str, Any] = {name: data[key] for name, key in keys.items() if key in data}
    for name in _BY_SKILL:
        values[name] = {Skill(*key.split("/", 1)): value for key, value in values[name].items()}
    values["targets"] = {skill: TargetLevel(*target) for skill, target in values["targets"].items()}
    values |= {name: frozenset(values[name]) for name in _SETS}
    values |= {"id": UUID(data["id"]), "record": tuple(data["record"])}
    return Profile(**values)


def _by_text(values: Mapping[Skill, Any]) -> dict[str, Any]:
    return {
        "/".join(skill): list(value) if isinstance(value, tuple) else value for skill, value in sorted(values.items())
    }


def pair_keys(pairs: Iterable[Iterable[str]]) -> tuple[PairKey, ...]:
    """Pairs that were stored as JSON."""
    return tuple(PairKey(*map(UUID, pair)) for pair in pairs)


def cause_of(causes: Sequence[Mapping[str, Any]], pair: PairKey) -> Mapping[str, Any] | None:
    """The cause of a pair: the newest event about its learner, else about its mentor, else of all.

    Args:
        causes: the events that the plan follows, with `cluster_id` as text, the newest last.
        pair: a pair of the plan.

    Returns:
        None if there are no causes.
    """
    by_cluster = {cause["cluster_id"]: cause for cause in causes}
    newest = causes[-1] if causes else None
    return by_cluster.get(str(pair.learner_id), by_cluster.get(str(pair.mentor_id), newest))
