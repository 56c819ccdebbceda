"""The plan of a run is optimal: compared with all possible plans, on small consortia."""

import random
from collections.abc import Mapping
from datetime import date
from functools import cache
from uuid import uuid4

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel
from services.matching.rules.scoring.candidates import candidate_pairs
from services.matching.rules.scoring.features import ClusterFeatures, PairHistory
from tests.services.matching.actions import FRAMEWORK, Matching, Member, member

INDICATORS = ("foresight", "strategy", "training")


def some_consortium(chance: random.Random) -> list[Member]:
    """Five clusters with levels and targets, and up to two slots in each role."""
    consortium = uuid4()
    return [
        member(
            f"Cluster {number}",
            {indicator: chance.randint(0, 5) for indicator in INDICATORS},
            {indicator: chance.randint(1, 5) for indicator in chance.sample(INDICATORS, 2)},
            consortium_id=consortium,
            country=chance.choice(["HU", "IT", "RO"]),
            ecosystems=chance.sample(["digital", "agri-food", "energy"], 2),
            languages=chance.sample(["en", "hu", "it"], 2),
            value_chain_stages=chance.sample(["research", "services", "sales"], 1),
            mentor_capacity=chance.randint(0, 2),
            learner_capacity=chance.randint(0, 2),
        )
        for number in range(5)
    ]


def profile(cluster: Member) -> Profile:
    return Profile(
        id=cluster.id,
        name=cluster.name,
        country=cluster.facts["country"],
        languages=frozenset(cluster.facts["languages"]),
        ecosystems=frozenset(cluster.facts["ecosystems"]),
        stages=frozenset(cluster.facts["value_chain_stages"]),
        levels={Skill(FRAMEWORK, indicator): level for indicator, level in cluster.levels.items()},
        targets={Skill(FRAMEWORK, indicator): TargetLevel(level, 3) for indicator, level in cluster.targets.items()},
    )


def scores(members: list[Member]) -> dict[tuple[int, int], int]:
    """The score of each possible pair, by the indexes of mentor and learner."""
    candidates = candidate_pairs(
        ClusterFeatures([profile(cluster) for cluster in members], Criteria(), PairHistory(date(2017, 6, 1)))
    )
    pairs = zip(candidates.mentor.tolist(), candidates.learner.tolist(), strict=True)
    return dict(zip(pairs, candidates.score.tolist(), strict=True))


def best_total(members: list[Member], possible: Mapping[tuple[int, int], int]) -> int:
    """The highest total, by trying every set of pairs that fits."""
    arcs = sorted(possible)

    @cache
    def best(at: int, mentors: tuple[int, ...], learners: tuple[int, ...]) -> int:
        if at == len(arcs):
            return 0
        a, b = arcs[at]
        without = best(at + 1, mentors, learners)
        if not mentors[a] or not learners[b]:
            return without
        return max(without, possible[a, b] + best(at + 1, _less(mentors, a), _less(learners, b)))

    return best(
        0,
        tuple(cluster.facts["mentor_capacity"] for cluster in members),
        tuple(cluster.facts["learner_capacity"] for cluster in members),
    )


def _less(places: tuple[int, ...], at: int) -> tuple[int, ...]:
    return (*places[:at], places[at] - 1, *places[at + 1 :])


async def test_no_plan_is_better(matching: Matching) -> None:
    chance = random.Random(2017)
    consortia = [some_consortium(chance) for _ in range(8)]
    await matching.register(*(cluster for members in consortia for cluster in members))
    sizes = set()
    for members in consortia:
        possible = scores(members)
        run = await matching.draft_run(members[0].facts["consortium_id"])
        number = {str(cluster.id): index for index, cluster in enumerate(members)}
        chosen = [(number[pair["mentor_id"]], number[pair["learner_id"]]) for pair in run["pairs"]]
        assert [pair["score_hundredths"] for pair in run["pairs"]] == sorted(
            (possible[pair] for pair in chosen), reverse=True
        )
        for index, cluster in enumerate(members):
            assert sum(a == index for a, _ in chosen) <= cluster.facts["mentor_capacity"]
            assert sum(b == index for _, b in chosen) <= cluster.facts["learner_capacity"]
        assert run["run"]["total_hundredths"] == best_total(members, possible)
        sizes.add(len(chosen))
    assert max(sizes) >= 4, "the instances are too easy to prove anything"
