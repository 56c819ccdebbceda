"""The plan of a plan input with its explanations: the same for a run, a what-if and a replay."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.matching.rules.engine import NEVER_STOP, SOLVER, Control, Residual, Solved
from services.matching.rules.explaining.infeasibility import infeasibilities
from services.matching.rules.explaining.shadow_prices import shadow_prices
from services.matching.rules.explaining.unmatched import unmatched_learners
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Certificate, Plan, PlannedPair, PlannedTerm, WithdrawnProposal
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.planning.objectives import Solution
from services.matching.rules.planning.plan import solve_with_move_limit
from services.matching.rules.scoring.pair_score import score_ignoring_rules


def make_plan(plan_input: PlanInput, control: Control = NEVER_STOP) -> Plan:
    """The best plan of a plan input, with its certificates and explanations.

    Args:
        plan_input: what the plan depends on.
        control: called with the share that is done; if it returns True, the best plan so far is returned, not `exact`.

    Raises:
        NotOptimal: a certificate does not hold, which is an error of the solver.
        ValueError: the values are too large for exact sums.
    """
    plan_input, problem, solution = solve_with_move_limit(plan_input, control)
    chosen = [problem.pair_key(arc) for arc in np.flatnonzero(solution.taken).tolist()]
    pairs = _planned_pairs(plan_input, problem, chosen)
    residual = Residual(solution.stages[0]) if solution.exact and len(solution.stages) == 1 else None
    return Plan(
        pairs=pairs,
        dropped=tuple(_withdrawn_proposals(plan_input, problem, chosen)),
        total=sum(pair.score for pair in pairs),
        exact=solution.exact,
        optimality_gap=_optimality_gap(problem, solution, plan_input.criteria.objective),
        certificates=tuple(map(_certificate, solution.stages)),
        prices=shadow_prices(problem, solution, residual),
        unmatched=unmatched_learners(plan_input, problem, residual, [*problem.decided, *chosen]),
        shortfalls=infeasibilities(plan_input, problem, solution),
        solver=SOLVER,
        move_price=plan_input.criteria.move_price,
    )


def _planned_pairs(
    plan_input: PlanInput, problem: AssignmentProblem, chosen: Sequence[PairKey]
) -> tuple[PlannedPair, ...]:
    """In the order of learner, then mentor."""
    fixed, proposed, forced = set(plan_input.fixed_pairs), set(plan_input.open_proposals), set(plan_input.forced)
    pairs = []
    for pair in sorted([*problem.decided_here, *chosen], key=lambda pair: (pair.learner_id, pair.mentor_id)):
        score = score_ignoring_rules(problem.features, pair.mentor_id, pair.learner_id)
        pairs.append(
            PlannedPair(
                mentor_id=pair.mentor_id,
                learner_id=pair.learner_id,
                score=score.total,
                terms=tuple(PlannedTerm(**term._asdict()) for term in score.terms),
                standing="kept" if pair in fixed else "proposed" if pair in proposed else "new",
                forced=pair in forced,
            )
        )
    return tuple(pairs)


def _withdrawn_proposals(
    plan_input: PlanInput, problem: AssignmentProblem, chosen: Sequence[PairKey]
) -> Iterator[WithdrawnProposal]:
    """The open proposals that are not in the plan; none without a move price, since then all of them stay."""
    if plan_input.criteria.move_price is None:
        return
    index = problem.features.index
    for pair in sorted({*plan_input.open_proposals} - {*problem.decided, *chosen}):
        if pair.mentor_id in index and pair.learner_id in index:
            arc = problem.arc(pair)
            score = score_ignoring_rules(problem.features, *pair).total if arc is None else int(problem.score[arc])
            yield WithdrawnProposal(
                mentor_id=pair.mentor_id, learner_id=pair.learner_id, score=score, possible=arc is not None
            )


def _certificate(solved: Solved) -> Certificate:
    value = int(solved.problem.value[solved.taken].sum())
    return Certificate(
        worth=value,
        bound=solved.bound,
        mentor_prices=tuple(map(int, solved.mentor_price)),
        learner_prices=tuple(map(int, solved.learner_price)),
    )


def _optimality_gap(problem: AssignmentProblem, solution: Solution, objective: str) -> int | None:
    """The most that unexamined pairs could add: their best score above the learner's price, for each of its slots."""
    if not problem.best_unexamined.any():
        return 0
    if objective != "total":
        return None
    surplus = np.maximum(problem.best_unexamined - np.maximum(solution.stages[0].learner_price, 0), 0)
    return int((surplus * problem.network.learner_slots).sum())
