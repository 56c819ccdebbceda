"""Why a learner has a free place in the best plan, and the smallest change that would fill it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Residual
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Unmatched
from services.matching.rules.inputs.profile import Profile, Skill
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.scoring.pair_score import Excluded, score_pair
from services.matching.rules.scoring.reasons import teachable

MAX_MENTORS_TRIED = 20
"""Mentors whose places are tried for a learner that is outbid."""
MAX_EXPLAINED = 500
"""Learners who are explained, and mentors that are looked at for each."""


class _Learner(NamedTuple):
    """A learner with a free place."""

    number: int
    profile: Profile
    places: int
    used: int


def unmatched_learners(
    question: PlanInput, problem: AssignmentProblem, residual: Residual | None, standing: Sequence[PairKey]
) -> tuple[Unmatched, ...]:
    """Each learner with a free place that has no mentor at all in the plan.

    `residual` is that of the plan, if it was found in one stage; `standing` are the plan's pairs.
    """
    served = {two.learner_id for two in standing}
    free = problem.network.learner_slots
    learners = [
        _Learner(number, one, question.criteria.capacity_of(one, "learner"), 0)
        for number, one in enumerate(question.clusters)
        if free[number] > 0 and one.id not in served
    ]
    return tuple(_told(question, problem, residual, one) for one in learners[:MAX_EXPLAINED])


def _told(question: PlanInput, problem: AssignmentProblem, residual: Residual | None, learner: _Learner) -> Unmatched:
    arcs = np.flatnonzero(problem.network.learner == learner.number)
    if len(arcs):
        return _outbid(question, problem, residual, learner, arcs)
    others = [one for one in question.clusters if one.id != learner.profile.id]
    mentors = ([one for one in others if question.criteria.capacity_of(one, "mentor")] or others)[:MAX_EXPLAINED]
    answers = [(one, score_pair(problem.features, one.id, learner.profile.id)) for one in mentors]
    possible = [one for one, answer in answers if not isinstance(answer, Excluded)]
    if possible:
        return _full(question, learner, possible)
    return _ruled_out(learner, [answer for _, answer in answers if isinstance(answer, Excluded)])


def _ruled_out(learner: _Learner, answers: Sequence[Excluded]) -> Unmatched:
    name = learner.profile.name
    if not learner.profile.needs and not learner.profile.requests:
        reason = f"{name} has no target above its levels and no open request, so nobody can teach it anything."
        return _unmatched(learner, "nothing-to-learn", reason, f"{name} sets a target or asks for something.")
    rules = Counter(answer.rule for answer in answers)
    if not rules:
        return _unmatched(learner, "no-places", "There is no other cluster.", "Another cluster joins.")
    often = rules.most_common(1)[0][0]
    example = next(answer.reason for answer in answers if answer.rule == often)
    reason = (
        f"No mentor is possible for {name}. For {rules[often]} of {len(answers)} the reason is like this: {example}"
    )
    remedy = "The nearest is to change that, or to lift the rule for this pair."
    return _unmatched(learner, "nothing-to-learn" if often == "teaches" else "rules", reason, remedy)


def _full(question: PlanInput, learner: _Learner, possible: Sequence[Profile]) -> Unmatched:
    name = learner.profile.name
    willing = [one for one in possible if question.criteria.capacity_of(one, "mentor") > 0]
    named = (willing or possible)[0].name
    teach = "Only one cluster" if len(possible) == 1 else f"{len(possible)} clusters"
    if willing:
        reason = f"{teach} could teach {name}, and pairs that stay take all places for learners there."
    else:
        reason = f"{teach} could teach {name}, and there is no place for a learner there."
    return _unmatched(learner, "no-places", reason, f"One more place with {named} would do.")


def _outbid(
    question: PlanInput,
    problem: AssignmentProblem,
    residual: Residual | None,
    learner: _Learner,
    arcs: NDArray[np.intp],
) -> Unmatched:
    name = learner.profile.name
    worth = problem.network.worth
    names = [one.name for one in question.clusters]
    if (worth[arcs] <= 0).all():
        return _unmatched(learner, "competition", *_reserved(question, problem, learner, arcs))
    best = sorted(arcs, key=lambda arc: (-worth[arc], arc))
    first = names[problem.network.mentor[best[0]]]
    reason = f"Others gain more by the places with mentors that suit {name}, {first} first of all."
    if residual is None:
        return _unmatched(learner, "competition", reason, f"One more place with {first}, kept for it, would do.")
    for arc in best[:MAX_MENTORS_TRIED]:
        change = residual.one_more_mentor_slot(int(problem.network.mentor[arc]))
        if any(problem.network.learner[one] == learner.number for one in change.added):
            remedy = f"One more place with {names[problem.network.mentor[arc]]} would give it a mentor."
            return _unmatched(learner, "competition", reason, remedy)
    return _unmatched(learner, "competition", reason, f"One more place with {first}, kept for it, would do.")


def _reserved(
    question: PlanInput, problem: AssignmentProblem, learner: _Learner, arcs: NDArray[np.intp]
) -> tuple[str, str]:
    """For whom the best place that it could have is kept, and what would help."""
    best = max(arcs, key=lambda arc: (problem.score[arc], -arc))
    mentor = question.clusters[problem.network.mentor[best]]
    needs: Counter[Skill] = Counter()
    for other in question.clusters:
        if other.id not in {learner.profile.id, mentor.id}:
            gaps = {skill: gap * other.needs[skill][1] for skill, gap in teachable(mentor, other).items()}
            needs.update(gaps)
    within = f"expected within {question.criteria.reserve.days} days"
    most = max(sorted(needs), key=needs.__getitem__, default=None)
    larger = "with a larger need" if most is None else f"with a larger need in {most.indicator}"
    reason = (
        f"The place with {mentor.name} is kept for a learner {larger}, {within}; {learner.profile.name} needs less."
    )
    return reason, "Switch the reserve off, or add places."


def _unmatched(learner: _Learner, cause: str, reason: str, remedy: str) -> Unmatched:
    told = {"cause": cause, "reason": reason, "remedy": remedy}
    return Unmatched.model_validate(
        {"learner_id": learner.profile.id, "places": learner.places, "used": learner.used, **told}
    )
