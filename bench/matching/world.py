"""Realistic consortia and problems, generated from a seed."""

import random
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import numpy as np

from services.matching.rules.engine import Problem
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel

TODAY = date(2026, 6, 1)
FRAMEWORK = "self-check-8.1"
INDICATORS = (
    "strategy",
    "value-chain",
    "foresight",
    "firm-services",
    "internationalisation",
    "financing",
    "governance",
    "cooperation",
)
SCALE_MAX = 5
LANGUAGES = {
    "AT": "de",
    "BE": "fr",
    "BG": "bg",
    "CZ": "cs",
    "DE": "de",
    "DK": "da",
    "EE": "et",
    "ES": "es",
    "FI": "fi",
    "FR": "fr",
    "HR": "hr",
    "HU": "hu",
    "IE": "en",
    "IT": "it",
    "LT": "lt",
    "LV": "lv",
    "NL": "nl",
    "PL": "pl",
    "PT": "pt",
    "RO": "ro",
    "RS": "sr",
    "SE": "sv",
    "SI": "sl",
    "SK": "sk",
}
ECOSYSTEMS = (
    "aerospace-defence",
    "agri-food",
    "construction",
    "cultural-creative",
    "digital",
    "electronics",
    "energy-intensive",
    "energy-renewables",
    "health",
    "mobility-transport-automotive",
    "proximity-social-economy",
    "retail",
    "textiles",
    "tourism",
)
STAGES = ("research", "inputs", "production", "processing", "logistics", "sales")


def cluster(number: int, chance: random.Random, indicators: Sequence[str] = INDICATORS) -> Profile:
    """A random cluster. A third are advanced and mentor; the others have lower levels and more targets."""
    country = chance.choice(sorted(LANGUAGES))
    advanced = chance.random() < 1 / 3
    skills = [Skill(FRAMEWORK, indicator) for indicator in indicators]
    levels = {skill: chance.randint(2, SCALE_MAX) if advanced else chance.randint(0, 3) for skill in skills}
    targeted = chance.sample(skills, chance.randint(1, 2) if advanced else chance.randint(2, 4))
    targets = {
        skill: TargetLevel(min(SCALE_MAX, levels[skill] + chance.randint(1, 2)), chance.randint(1, 5))
        for skill in targeted
    }
    requested = targeted[:1] if chance.random() < 1 / 4 else []
    return Profile(
        id=UUID(int=chance.getrandbits(128), version=4),
        name=f"Cluster {number}",
        country=country,
        languages=frozenset({LANGUAGES[country]} | ({"en"} if chance.random() < 4 / 5 else set())),
        ecosystems=frozenset(chance.sample(ECOSYSTEMS, chance.randint(1, 2))),
        stages=frozenset(chance.sample(STAGES, chance.randint(1, 3))),
        levels=levels,
        targets=targets,
        requests={skill: chance.randint(1, 5) for skill in requested},
        mentor_slots=chance.randint(1, 3) if advanced else 0,
        learner_slots=chance.randint(0, 1) if advanced else chance.randint(1, 2),
    )


def clusters(size: int, seed: int = 1, indicators: Sequence[str] = INDICATORS) -> list[Profile]:
    """A number of random clusters."""
    chance = random.Random(seed)  # noqa: S311  a draw that has to be the same each time
    return [cluster(number, chance, indicators) for number in range(size)]


def consortium(size: int, seed: int = 1, indicators: Sequence[str] = INDICATORS) -> PlanInput:
    """A plan input of a number of random clusters."""
    return PlanInput(today=TODAY, clusters=tuple(clusters(size, seed, indicators)))


def instance(learners: int, arcs: int, *, slots: float = 2.0, seed: int = 0) -> Problem:
    """A random problem with as many mentors as learners.

    Args:
        learners: number of learners, each with one slot.
        arcs: number of arcs of each learner, to random mentors.
        slots: of all mentors together, per learner.
        seed: of the random numbers.
    """
    chance = np.random.default_rng(seed)
    mentor = np.concatenate([np.sort(chance.choice(learners, arcs, replace=False)) for _ in range(learners)])
    none = np.zeros(learners, np.int32)
    return Problem(
        mentor.astype(np.int32),
        np.repeat(np.arange(learners), arcs).astype(np.int32),
        chance.integers(1, 10_000, learners * arcs),
        chance.multinomial(int(slots * learners), np.full(learners, 1 / learners)).astype(np.int32),
        np.ones(learners, np.int32),
        none,
        none,
    )
