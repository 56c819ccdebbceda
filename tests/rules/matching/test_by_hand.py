"""The example and the tables of docs/matching.md agree with the code."""

import re
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from services.matching.rules.inputs.criteria import Criteria, Weights
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel
from services.matching.rules.scoring.exclusion_rules import EXCLUSION_RULES
from services.matching.rules.scoring.features import ClusterFeatures, PairHistory
from services.matching.rules.scoring.pair_score import score_ignoring_rules

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/matching.md").read_text()
STORY = yaml.safe_load((ROOT / "deploy/sample_data/trace_kei.yaml").read_text())


def cluster(number: int, slug: str) -> Profile:
    entry: dict[str, Any] = next(cluster for cluster in STORY["clusters"] if cluster["slug"] == slug)
    return Profile(
        id=UUID(int=number),
        name=entry["name"],
        country=entry["country"],
        languages=frozenset(entry["languages"]),
        ecosystems=frozenset(entry["ecosystems"]),
        stages=frozenset(entry["value_chain_stages"]),
        levels={Skill("f", name): level for name, level in entry["assessment"]["scores"].items()},
        targets={
            Skill("f", name): TargetLevel(aim["level"], aim["priority"]) for name, aim in entry["targets"].items()
        },
    )


def test_the_pair_by_hand() -> None:
    mentor, learner = cluster(1, "innoskart"), cluster(2, "madan-parque")
    score = score_ignoring_rules(
        ClusterFeatures([mentor, learner], Criteria(), PairHistory(date(2017, 1, 1))), mentor.id, learner.id
    )
    worked = TEXT.partition("### One pair by hand")[2].partition("## What excludes")[0]
    written = {name: int(points) for name, points in re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", worked, re.MULTILINE)}
    assert written == {term.term: term.hundredths for term in score.terms}
    assert f"**{score.total}, which is {score.total / 100:.2f} points**" in worked


def test_the_tables_are_those_of_the_code() -> None:
    terms = TEXT.partition("## The score of a pair")[2].partition("### One pair")[0]
    written = {name: int(weight) for name, weight in re.findall(r"^\| `(\w+)` \| (\d+) \|", terms, re.MULTILINE)}
    assert written == Weights().model_dump()
    rules = TEXT.partition("## What excludes a pair")[2].partition("## The plan")[0]
    assert re.findall(r"^\| `(\w+)` \|", rules, re.MULTILINE) == list(EXCLUSION_RULES)
