"""Who is proposed for one request: the best mentors with a free place that can answer it."""

from uuid import UUID

from services.matching.rules.profile import Skill
from services.matching.rules.question import Question, Two
from services.matching.rules.score import Score, best_of
from services.matching.rules.sentences import answerable


def best_mentors(question: Question, learner_id: UUID, asked: Skill, most: int) -> list[tuple[Two, Score]]:
    """Up to `most` mentors that can answer a learner's request for a skill, the best first.

    Places are looked at, not reserved: a proposal takes none until both sides have accepted it. Pairs that are proposed
    or kept are not proposed again.
    """
    table = question.table
    if learner_id not in table.number:
        return []
    learner = question.clusters[table.number[learner_id]]
    live = {*question.kept, *question.proposed}
    used = [two.mentor_id for two in question.kept]
    mentors = [
        one.id
        for one in question.clusters
        if question.criteria.places_of(one, "mentor") > used.count(one.id)
        and Two(one.id, learner_id) not in live
        and asked in answerable(one, learner)
    ]
    return [(Two(mentor, learner_id), given) for mentor, given in best_of(table, learner_id, mentors, most)]
