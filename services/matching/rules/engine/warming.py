"""What is compiled is compiled before somebody waits for it."""

import numpy as np

from services.matching.rules.engine.incremental import IncrementalSolver
from services.matching.rules.engine.jit import can_compile, compiled
from services.matching.rules.engine.problem import Problem
from services.matching.rules.engine.residual import Residual


def warm_up() -> None:
    """Compile, or load what was compiled: everything that is called from plain Python, on a plan of one pair."""
    if not can_compile():
        return
    compiled()
    one, none = np.ones(1, np.int32), np.zeros(1, np.int32)
    kept = IncrementalSolver(Problem(none, none, np.ones(1, np.int64), one, one, none, none))
    kept.learner_worths(0, np.ones(1, np.int64))
    Residual(kept.solved()).one_more_mentor_slot(0)
