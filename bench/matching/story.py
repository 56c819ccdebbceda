"""`python -m bench.matching.story SIZE [SEED] > FILE`: a consortium of any size for `kei import FILE`."""

import sys
from datetime import date
from typing import Any

import yaml

from bench.matching.world import FRAMEWORK, clusters
from services.matching.rules.inputs.profile import Profile


def story(size: int, seed: int = 1) -> dict[str, Any]:
    """The consortium in the format of `kei import`."""
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
        "clusters": [_cluster(cluster, number) for number, cluster in enumerate(clusters(size, seed))],
        "plan": "draft",
    }


def _cluster(cluster: Profile, number: int) -> dict[str, Any]:
    return {
        "slug": f"cluster-{number}",
        "name": cluster.name,
        "country": cluster.country,
        "ecosystems": sorted(cluster.ecosystems),
        "languages": sorted(cluster.languages),
        "value_chain_stages": sorted(cluster.stages),
        "mentor_capacity": cluster.mentor_slots,
        "learner_capacity": cluster.learner_slots,
        "assessment": {
            "framework": FRAMEWORK,
            "kind": "self",
            "assessed_on": date(2026, 3, 1),
            "valid_until": date(2030, 12, 31),
            "illustrative": True,
            "scores": {skill.indicator: level for skill, level in cluster.levels.items()},
        },
        "targets": {
            skill.indicator: {"level": target.level, "priority": target.priority}
            for skill, target in cluster.targets.items()
        },
    }


def main(size: int, seed: int = 1) -> None:
    """Write the story as YAML to the standard output."""
    yaml.safe_dump(story(size, seed), sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
