"""Which of the events that a plan follows led to one of its pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.matching.rules.inputs.plan_input import Two


def cause_of(causes: Sequence[Mapping[str, Any]], two: Two) -> Mapping[str, Any] | None:
    """The newest event about the pair's learner, else about its mentor, else of all; None if there are none.

    Args:
        causes: with their `cluster_id` as text, the newest last.
        two: the pair.
    """
    about = {one["cluster_id"]: one for one in causes}
    newest = causes[-1] if causes else None
    return about.get(str(two.learner_id), about.get(str(two.mentor_id), newest))
