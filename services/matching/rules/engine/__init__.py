"""The solver: the best plan under both sides' places, exactly, with its proof.

`solve` finds it, `check` proves it; both work on numbers alone.
"""

from services.matching.rules.engine.certificate import NotOptimal, check
from services.matching.rules.engine.incremental import IncrementalSolver
from services.matching.rules.engine.problem import NEVER_STOP, Control, Int32Array, Problem, Solved
from services.matching.rules.engine.residual import PlanChange, Residual
from services.matching.rules.engine.solve import solve
from services.matching.rules.engine.warming import warm_up

SOLVER = "kei shortest augmenting paths 2"
"""The method and its version, which is counted up when another plan could come out of the same problem."""

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
