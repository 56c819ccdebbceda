"""The solver: exact optimal plans of assignment problems with slots on both sides, with certificates.

`solve` finds a plan, `check` verifies its certificate; both know arrays only.
"""

from services.matching.rules.engine.certificate import NotOptimal, check
from services.matching.rules.engine.incremental import IncrementalSolver
from services.matching.rules.engine.problem import NEVER_STOP, Control, Int32Array, Problem, Solved
from services.matching.rules.engine.residual import PlanChange, Residual
from services.matching.rules.engine.solve import solve, warm_up

SOLVER = "kei shortest augmenting paths 2"
"""The method and its version; the version changes if the same problem could get another plan."""

__all__ = [
    "NEVER_STOP",
    "SOLVER",
    "Control",
    "IncrementalSolver",
    "Int32Array",
    "NotOptimal",
    "PlanChange",
    "Problem",
    "Residual",
    "Solved",
    "check",
    "solve",
    "warm_up",
]
