"""The answer to a question: one way for a live run, a what-if and a replay.

The plan is the proven best by the question's objective. Settled pairs stand; a place of a mentor costs what is reserved
for later arrivals, a proposal that is open already counts a little more than a new one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from services.matching.rules.engine import NEVER, SOLVER, Control, Residual, Solved
from services.matching.rules.explaining.infeasibility import shortfalls
from services.matching.rules.explaining.shadow_prices import place_prices
from services.matching.rules.explaining.unmatched import left_out
from services.matching.rules.inputs.plan_input import Question, Two
from services.matching.rules.inputs.plan_models import Certificate, Dropped, Plan, PlannedPair, PlannedTerm
from services.matching.rules.planning.assignment_problem import Board, board, widened
from services.matching.rules.planning.objectives import Best, best
from services.matching.rules.scoring.pair_score import Score, score_anyway

LOWEST = 100
"""The first price of a move, in hundredths of a point, where a plan that may drop proposals for nothing drops too many.
"""
HIGHEST = 10_000
"""The last: no proposal is worth dropping for a better score, since that is the best score there is."""


def answer(question: Question, control: Control = NEVER) -> Plan:
    """The best plan for a question.

    Args:
        question: what is to be planned.
        control: told what share is done; where it says to stop, the best plan so far is given, `exact` false.

    Raises:
        NotOptimal: the proof does not hold, which is an error of the solver.
        ValueError: the figures are too large to be added up exactly.
    """
    question, laid, found = bounded(question, control)
    chosen = [laid.two(arc) for arc in np.flatnonzero(found.taken).tolist()]
    pairs = _pairs(question, laid, chosen)
    residual = Residual(found.stages[0]) if found.exact and len(found.stages) == 1 else None
    return Plan(
        pairs=pairs,
        dropped=tuple(_dropped(question, laid, chosen)),
        total=sum(pair.score for pair in pairs),
        exact=found.exact,
        cut=_cut(laid, found, question.criteria.objective),
        certificates=tuple(map(_certificate, found.stages)),
        prices=place_prices(laid, found, residual),
        unmatched=left_out(question, laid, residual, [*laid.settled, *chosen]),
        shortfalls=shortfalls(question, laid, found),
        solver=SOLVER,
        move_price=question.criteria.move_price,
    )


def bounded(question: Question, control: Control = NEVER) -> tuple[Question, Board, Best]:
    """The best plan that drops no more open proposals than the criteria allow.

    Should it drop more, the price of each is doubled; at the highest price none is dropped that has a place.

    Raises:
        NotOptimal, ValueError.
    """
    laid, found = decided(question, control)
    most = question.criteria.most_moves
    while most is not None and found.exact and int((laid.proposed & ~found.taken).sum()) > most:
        price = question.criteria.move_price or 0
        if price >= HIGHEST:
            break
        dearer = {"move_price": min(max(2 * price, LOWEST), HIGHEST)}
        question = replace(question, criteria=question.criteria.model_copy(update=dearer))
        laid, found = decided(question, control)
    return question, laid, found


def decided(question: Question, control: Control = NEVER) -> tuple[Board, Best]:
    """The question in numbers, and the best plan: where pairs were left out, with all that could make it better.

    Raises:
        NotOptimal, ValueError.
    """
    laid = board(question)
    found = best(laid.problem, laid.score, question.criteria.objective, control)
    while found.exact and len(found.stages) == 1 and laid.cut.any():
        wider = widened(laid, found.stages[0])
        if wider is None:
            return laid._replace(cut=np.zeros_like(laid.cut)), found
        laid, found = wider, best(wider.problem, wider.score, question.criteria.objective, control)
    return laid, found


def _pairs(question: Question, laid: Board, chosen: Sequence[Two]) -> tuple[PlannedPair, ...]:
    """In the order of learners, then of mentors."""
    kept, proposed, forced = set(question.kept), set(question.proposed), set(question.forced)
    pairs = []
    for two in sorted([*laid.standing, *chosen], key=lambda one: (one.learner_id, one.mentor_id)):
        given = score_anyway(laid.table, two.mentor_id, two.learner_id)
        pairs.append(
            PlannedPair(
                mentor_id=two.mentor_id,
                learner_id=two.learner_id,
                score=given.total,
                terms=_terms(given),
                standing="kept" if two in kept else "proposed" if two in proposed else "new",
                forced=two in forced,
            )
        )
    return tuple(pairs)


def _terms(given: Score) -> tuple[PlannedTerm, ...]:
    return tuple(PlannedTerm(**term._asdict()) for term in given.terms)


def _dropped(question: Question, laid: Board, chosen: Sequence[Two]) -> Iterator[Dropped]:
    """What was proposed and is not in the plan; nothing if all of it stays beside the plan."""
    if question.criteria.move_price is None:
        return
    for two in sorted({*question.proposed} - {*laid.settled, *chosen}):
        if two.mentor_id in laid.table.number and two.learner_id in laid.table.number:
            arc = laid.arc(two)
            points = score_anyway(laid.table, *two).total if arc is None else int(laid.score[arc])
            yield Dropped(mentor_id=two.mentor_id, learner_id=two.learner_id, score=points, possible=arc is not None)


def _certificate(solved: Solved) -> Certificate:
    worth = int(solved.problem.worth[solved.taken].sum())
    return Certificate(
        worth=worth,
        bound=solved.bound,
        mentor_prices=tuple(map(int, solved.mentor_price)),
        learner_prices=tuple(map(int, solved.learner_price)),
    )


def _cut(laid: Board, found: Best, objective: str) -> int | None:
    """What the pairs that were not looked at could add, at most: by how much they are worth more than their places."""
    if not laid.cut.any():
        return 0
    if objective != "total":
        return None
    over = np.maximum(laid.cut - np.maximum(found.stages[0].learner_price, 0), 0)
    return int((over * laid.problem.learner_places).sum())
