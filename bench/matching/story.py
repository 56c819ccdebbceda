"""`python -m bench.matching.story SIZE [SEED] > FILE`: a consortium of any size, to be loaded by `kei import FILE`."""

import sys
from datetime import date
from typing import Any

import yaml

from bench.matching.world import FRAMEWORK, clusters
from services.matching.rules.inputs.profile import Profile


def story(size: int, seed: int = 1) -> dict[str, Any]:
    """The consortium as `kei import` reads it."""
    return {
        "story": f"generated-{size}-{seed}",
        "frameworks": [FRAMEWORK],
        "consortium": {
            "slug": f"generated-{size}-{seed}",
            "name": f"{size} clusters that do not exist",
            "programme": "Generated data",
            "starts_on": date(2026, 1, 1),
            "ends_on": date(2027, 12, 31),
        },
        "clusters": [_told(one, number) for number, one in enumerate(clusters(size, seed))],
        "plan": "draft",
    }


def _told(one: Profile, number: int) -> dict[str, Any]:
    return {
        "slug": f"cluster-{number}",
        "name": one.name,
        "country": one.country,
        "ecosystems": sorted(one.ecosystems),
        "languages": sorted(one.languages),
        "value_chain_stages": sorted(one.stages),
        "mentor_capacity": one.mentor_slots,
        "learner_capacity": one.learner_slots,
        "assessment": {
            "framework": FRAMEWORK,
            "kind": "self",
            "assessed_on": date(2026, 3, 1),
            "valid_until": date(2030, 12, 31),
            "illustrative": True,
            "scores": {skill.indicator: level for skill, level in one.levels.items()},
        },
        "targets": {
            skill.indicator: {"level": aim.level, "priority": aim.priority} for skill, aim in one.targets.items()
        },
    }


def main(size: int, seed: int = 1) -> None:
    """Write it."""
    yaml.safe_dump(story(size, seed), sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
