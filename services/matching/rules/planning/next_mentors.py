"""The best mentors with a free slot for one learner: for a service request, or for its gaps."""

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
    """The mentors of a consortium, for one learner after the other. A mentor is suggested to a learner once only.

    Slots are checked, not reserved: a proposal takes none until both sides have accepted it.
    """

    def __init__(self, plan_input: PlanInput) -> None:
        self._input, self._features = plan_input, features_of(plan_input)
        self._profiles = {cluster.id: cluster for cluster in plan_input.clusters}
        self._mentors_of = defaultdict[UUID, set[UUID]](set)
        for pair in (*plan_input.fixed_pairs, *plan_input.open_proposals, *plan_input.request_proposals):
            self._mentors_of[pair.learner_id].add(pair.mentor_id)

    def for_request(self, learner_id: UUID, skill: Skill, limit: int) -> ScoredPairs:
        """Up to `limit` mentors that can answer a learner's request for a skill, the best first, then by id."""
        learner = self._profiles.get(learner_id)
        if learner is None or skill not in learner.requests:
            return []
        level = learner.levels.get(skill, 0)
        above = np.array([cluster.levels.get(skill, 0) > level for cluster in self._input.clusters], dtype=np.bool_)
        return self._best(learner_id, limit, self._with_slot & above)

    def for_unmatched(self, learner_id: UUID, limit: int) -> ScoredPairs:
        """Up to `limit` mentors for an unmatched learner, with a slot that fixed pairs and open proposals leave.

        None if the learner has no free slot either.
        """
        learner = self._profiles.get(learner_id)
        taken = (*self._input.fixed_pairs, *self._input.open_proposals)
        used = sum(pair.learner_id == learner_id for pair in taken)
        if learner is None or self._input.criteria.capacity_of(learner, "learner") <= used:
            return []
        return self._best(learner_id, limit, self._free(taken))

    @cached_property
    def _with_slot(self) -> BoolArray:
        """Whether each mentor has a slot that fixed pairs leave."""
        return self._free(self._input.fixed_pairs)

    def _free(self, taken: Sequence[PairKey]) -> BoolArray:
        """Whether each mentor has a slot that the taken pairs leave."""
        used, criteria = Counter(pair.mentor_id for pair in taken), self._input.criteria
        free = [criteria.capacity_of(cluster, "mentor") > used[cluster.id] for cluster in self._input.clusters]
        return np.array(free, dtype=np.bool_)

    def _best(self, learner_id: UUID, limit: int, able: BoolArray) -> ScoredPairs:
        """The best of the able mentors that no rule excludes and that have no pair with the learner yet."""
        features, mentors_of_learner = self._features, self._mentors_of[learner_id]
        mentors = able.copy()
        mentors[[features.index[id] for id in mentors_of_learner if id in features.index]] = False
        learners = np.array([features.index[learner_id]])
        candidates = candidate_pairs(features, limit, mentors=mentors, learners=learners)
        order = np.lexsort((candidates.mentor, -candidates.score))
        ids = [self._input.clusters[number].id for number in candidates.mentor[order].tolist()][:limit]
        mentors_of_learner.update(ids)
        return [(PairKey(id, learner_id), score_ignoring_rules(features, id, learner_id)) for id in ids]
