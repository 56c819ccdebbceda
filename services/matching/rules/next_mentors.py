"""Who is proposed to one learner, now: the best mentors with a free place, for a request or for what it needs."""

from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np

from services.matching.rules.profile import Profile, Skill
from services.matching.rules.question import Question, Two
from services.matching.rules.score import Score, score_anyway, worths
from services.matching.rules.sentences import answerable

Found = list[tuple[Two, Score]]


def for_request(question: Question, learner_id: UUID, asked: Skill, most: int) -> Found:
    """Up to `most` mentors that can answer a learner's request for a skill, the best first, of equal ones by id.

    Places are looked at, not reserved: a proposal takes none until both sides have accepted it.
    """
    learner = _of(question, learner_id)
    if learner is None:
        return []
    free = _free(question, question.kept)
    return _best(question, learner_id, most, lambda one: free(one) and asked in answerable(one, learner))


def for_need(question: Question, learner_id: UUID, most: int) -> Found:
    """Up to `most` mentors for a learner that is without one, from what places its plan's open proposals leave.

    Nobody, if the learner has no place left either.
    """
    learner, taken = _of(question, learner_id), (*question.kept, *question.proposed)
    learns = sum(two.learner_id == learner_id for two in taken)
    if learner is None or question.criteria.places_of(learner, "learner") <= learns:
        return []
    return _best(question, learner_id, most, _free(question, taken))


def _of(question: Question, id: UUID) -> Profile | None:
    return next((one for one in question.clusters if one.id == id), None)


def _free(question: Question, taken: Sequence[Two]) -> Callable[[Profile], bool]:
    """Whether a mentor has a place beside the taken ones."""
    used = Counter(two.mentor_id for two in taken)
    return lambda one: question.criteria.places_of(one, "mentor") > used[one.id]


def _best(question: Question, learner_id: UUID, most: int, able: Callable[[Profile], bool]) -> Found:
    """The best of the able that no rule excludes and that are not paired with the learner, or asked to be, already."""
    table = question.table
    pairs = (*question.kept, *question.proposed, *question.asked)
    live = {two.mentor_id for two in pairs if two.learner_id == learner_id}
    mentors = np.array([one.id not in live and able(one) for one in question.clusters], dtype=np.bool_)
    found = worths(table, most, mentors=mentors, learners=np.array([table.number[learner_id]]))
    ids = [question.clusters[place].id for place in found.mentor[np.lexsort((found.mentor, -found.score))].tolist()]
    return [(Two(id, learner_id), score_anyway(table, id, learner_id)) for id in ids[:most]]
