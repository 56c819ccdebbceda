"""Who is proposed to one learner, now: the best mentors with a free place, for a request or for what it needs."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from uuid import UUID

import numpy as np

from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.scoring.candidates import candidate_pairs
from services.matching.rules.scoring.features import BoolArray, features_of
from services.matching.rules.scoring.pair_score import Score, score_ignoring_rules

ScoredPairs = list[tuple[PairKey, Score]]


class NextMentors:
    """The mentors of a consortium, for one learner after the other; whom it has given one is paired with it since.

    Places are looked at, not reserved: a proposal takes none until both sides have accepted it.
    """

    def __init__(self, question: PlanInput) -> None:
        self._question, self._features = question, features_of(question)
        self._profiles = {one.id: one for one in question.clusters}
        self._live = defaultdict[UUID, set[UUID]](set)
        for two in (*question.fixed_pairs, *question.open_proposals, *question.request_proposals):
            self._live[two.learner_id].add(two.mentor_id)

    def for_request(self, learner_id: UUID, asked: Skill, most: int) -> ScoredPairs:
        """Up to `most` mentors that can answer a learner's request for a skill, the best first, of equal ones by id."""
        learner = self._profiles.get(learner_id)
        if learner is None or asked not in learner.requests:
            return []
        own = learner.levels.get(asked, 0)
        above = np.array([one.levels.get(asked, 0) > own for one in self._question.clusters], dtype=np.bool_)
        return self._best(learner_id, most, self._beside_pairs & above)

    def for_unmatched(self, learner_id: UUID, most: int) -> ScoredPairs:
        """Up to `most` mentors for a learner that is without one, from what places its plan's open proposals leave.

        Nobody, if the learner has no place left either.
        """
        learner = self._profiles.get(learner_id)
        taken = (*self._question.fixed_pairs, *self._question.open_proposals)
        learns = sum(two.learner_id == learner_id for two in taken)
        if learner is None or self._question.criteria.capacity_of(learner, "learner") <= learns:
            return []
        return self._best(learner_id, most, self._free(taken))

    @cached_property
    def _beside_pairs(self) -> BoolArray:
        """Which mentors have a place beside the accepted pairs."""
        return self._free(self._question.fixed_pairs)

    def _free(self, taken: Sequence[PairKey]) -> BoolArray:
        """Which mentors have a place beside the taken ones."""
        used, criteria = Counter(two.mentor_id for two in taken), self._question.criteria
        free = [criteria.capacity_of(one, "mentor") > used[one.id] for one in self._question.clusters]
        return np.array(free, dtype=np.bool_)

    def _best(self, learner_id: UUID, most: int, able: BoolArray) -> ScoredPairs:
        """The best of the able that no rule excludes and that are not paired with the learner already."""
        features, clusters, live = self._features, self._question.clusters, self._live[learner_id]
        mentors = able.copy()
        mentors[[features.index[id] for id in live if id in features.index]] = False
        found = candidate_pairs(features, most, mentors=mentors, learners=np.array([features.index[learner_id]]))
        ids = [clusters[place].id for place in found.mentor[np.lexsort((found.mentor, -found.score))].tolist()]
        live.update(ids[:most])
        return [(PairKey(id, learner_id), score_ignoring_rules(features, id, learner_id)) for id in ids[:most]]
