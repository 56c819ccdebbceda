"""The optimal plan of a plan input, in numbers."""

from dataclasses import replace

import numpy as np

from services.matching.rules.engine import NEVER_STOP, Control
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.planning.assignment_problem import (
    AssignmentProblem,
    assignment_problem,
    with_priced_out_pairs,
)
from services.matching.rules.planning.objectives import Solution, solve_objective

MIN_MOVE_PRICE = 100
"""The first move price that is tried when a plan without one withdraws too many proposals, in hundredths of a point."""
MAX_MOVE_PRICE = 10_000
"""The last: the highest possible score, so that no proposal is withdrawn for a better one."""


def solve_with_move_limit(
    plan_input: PlanInput, control: Control = NEVER_STOP
) -> tuple[PlanInput, AssignmentProblem, Solution]:
    """The best plan that withdraws at most as many open proposals as the criteria allow.

    While it withdraws more, the move price is doubled, up to `MAX_MOVE_PRICE`; at that price a proposal is withdrawn
    only if it has no slot.

    Returns:
        The plan input with the move price in force, its problem, and the solution.

    Raises:
        NotOptimal: a certificate does not hold, which is an error of the solver.
        ValueError: the values are too large for exact sums.
    """
    problem, solution = solve_to_optimality(plan_input, control)
    limit = plan_input.criteria.most_moves
    while limit is not None and solution.exact and int((problem.is_proposal & ~solution.taken).sum()) > limit:
        price = plan_input.criteria.move_price or 0
        if price >= MAX_MOVE_PRICE:
            break
        doubled = {"move_price": min(max(2 * price, MIN_MOVE_PRICE), MAX_MOVE_PRICE)}
        plan_input = replace(plan_input, criteria=plan_input.criteria.model_copy(update=doubled))
        problem, solution = solve_to_optimality(plan_input, control)
    return plan_input, problem, solution


def solve_to_optimality(plan_input: PlanInput, control: Control = NEVER_STOP) -> tuple[AssignmentProblem, Solution]:
    """The best plan by the criteria's objective; unexamined pairs are added while one could improve it.

    Raises:
        NotOptimal: a certificate does not hold, which is an error of the solver.
        ValueError: the values are too large for exact sums.
    """
    objective = plan_input.criteria.objective
    problem = assignment_problem(plan_input)
    solution = solve_objective(problem.network, problem.score, objective, control)
    while solution.exact and len(solution.stages) == 1 and problem.best_unexamined.any():
        extended = with_priced_out_pairs(problem, solution.stages[0])
        if extended is None:
            return problem._replace(best_unexamined=np.zeros_like(problem.best_unexamined)), solution
        problem, solution = extended, solve_objective(extended.network, extended.score, objective, control)
    return problem, solution
