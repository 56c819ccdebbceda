"""The scores of all pairs and the best 50 mentors of each learner, at once and pair by pair."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from bench.harness import Bench, Goal, Metrics, Variant, watch
from bench.matching.memory import peak
from bench.matching.world import INDICATORS, consortium
from services.matching.rules.scoring.candidates import candidate_pairs
from services.matching.rules.scoring.features import ClusterFeatures, features_of
from services.matching.rules.scoring.pair_score import score_pair

CLUSTERS = 10_000
LARGE = tuple(f"area-{number}" for number in range(40))
"""A framework of 40 areas, for which the goals are set; the consortium's own has eight."""
SAMPLE = 2_000
"""Pairs that are scored one by one; all of them would take hours."""


@cache
def features(indicators: tuple[str, ...]) -> ClusterFeatures:
    """The features of all clusters, with the cached score model."""
    result = features_of(consortium(CLUSTERS, indicators=indicators))
    candidate_pairs(result, 50, learners=np.arange(500))
    return result


async def at_once(indicators: tuple[str, ...]) -> Metrics:
    """Ten terms and eight rules for each of 100 million pairs."""
    clusters = features(indicators)
    with watch() as running:
        candidate_pairs(clusters, 50)
    return {**running.per(CLUSTERS**2), "mib": _memory(indicators)}


@cache
def _memory(indicators: tuple[str, ...]) -> float:
    return peak(lambda: candidate_pairs(features(indicators), 50))


async def in_a_loop(indicators: tuple[str, ...]) -> Metrics:
    """The same pair by pair, with reasons."""
    clusters = features(indicators)
    ids = [profile.id for profile in clusters.profiles]
    with watch() as running:
        for number in range(SAMPLE):
            score_pair(clusters, ids[number], ids[number + SAMPLE])
    return running.per(SAMPLE)


async def product(indicators: tuple[str, ...]) -> Metrics:
    """The matrix product of one term alone (steps that mentors reach, by learners' weights), in double precision."""
    reached, weights = _factors(indicators)
    with watch() as running:
        reached @ weights
    return running.per(CLUSTERS**2)


@cache
def _factors(indicators: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    clusters = features(indicators)
    return clusters.reached_steps.astype(np.float64), clusters.target_steps.T.astype(np.float64)


def benches() -> dict[str, Bench]:
    """Two sizes of a framework."""
    return {
        "scores": _bench("40 areas", LARGE, loops=100, whole=0.75),
        "scores-small": _bench(f"{len(INDICATORS)} indicators", INDICATORS),
    }


def _bench(name: str, indicators: tuple[str, ...], *, loops: float | None = None, whole: float | None = None) -> Bench:
    goals = [
        Goal("scores", f"{name}, scores and best 50: at once / in a loop", "at once", "in a loop", loops),
        Goal("scores", f"{name}, scores and best 50 / one matrix product", "at once", "matrix product", whole),
    ]
    variants: dict[str, Variant] = {
        "at once": partial(at_once, indicators),
        "in a loop": partial(in_a_loop, indicators),
        "matrix product": partial(product, indicators),
    }
    return Bench(f"pairs of 10,000 clusters, {name}", variants, goals)
