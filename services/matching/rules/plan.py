"""Who is proposed to whom: the best plan of a whole consortium, and the best mentors for one request.

Places are looked at, not reserved: a proposal takes none until both sides have accepted it.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple
from uuid import UUID

from services.matching.rules.profile import Profile, Skill
from services.matching.rules.score import Criteria, Score, answerable, score
from services.matching.rules.solve import Arc, Problem, optimum


class Situation(NamedTuple):
    """What proposals are made from: the clusters of a consortium, what each side of them can still take, what is live.

    `live` pairs (mentor, learner) are proposed or accepted; they stay and are not proposed again.
    """

    clusters: Mapping[UUID, Profile]
    mentor_places: Mapping[UUID, int]
    learner_places: Mapping[UUID, int]
    live: frozenset[tuple[UUID, UUID]]


class Proposal(NamedTuple):
    """A mentor for a learner, and why."""

    mentor_id: UUID
    learner_id: UUID
    score: Score


def best_plan(situation: Situation, criteria: Criteria, time_limit: float) -> list[Proposal]:
    """The pairs with the highest total score under both sides' capacities.

    Raises:
        NotOptimal: it was not found, or not proved to be the best, within `time_limit` seconds.
    """
    mentors = [one for one in situation.clusters.values() if situation.mentor_places.get(one.id)]
    learners = [one for one in situation.clusters.values() if situation.learner_places.get(one.id)]
    found = {(one.mentor_id, one.learner_id): one for one in _scored(mentors, learners, situation.live, criteria)}
    arcs = tuple(Arc(mentor, learner, one.score.total) for (mentor, learner), one in found.items())
    chosen = optimum(Problem(arcs, situation.mentor_places, situation.learner_places), time_limit)
    return [found[arc.mentor, arc.learner] for arc in chosen]


def best_mentors(situation: Situation, learner_id: UUID, asked: Skill, criteria: Criteria, most: int) -> list[Proposal]:
    """Up to `most` mentors with a free place that can answer the learner's request for a skill, the best first."""
    learner = situation.clusters.get(learner_id)
    if learner is None:
        return []
    mentors = [
        one
        for one in situation.clusters.values()
        if situation.mentor_places.get(one.id) and asked in answerable(one, learner)
    ]
    found = _scored(mentors, [learner], situation.live, criteria)
    return sorted(found, key=lambda one: (-one.score.total, one.mentor_id))[:most]


def _scored(
    mentors: Iterable[Profile], learners: Iterable[Profile], live: frozenset[tuple[UUID, UUID]], criteria: Criteria
) -> list[Proposal]:
    """Every pair that is not live and that no rule excludes."""
    pairs = ((one, other) for one, other in product(mentors, learners) if (one.id, other.id) not in live)
    scores = ((mentor.id, learner.id, score(mentor, learner, criteria)) for mentor, learner in pairs)
    return [Proposal(mentor, learner, one) for mentor, learner, one in scores if isinstance(one, Score)]
