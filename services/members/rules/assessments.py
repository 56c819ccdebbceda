"""Validation of assessments: the indicators exist, the scores are on the scale, the dates are in order."""

from collections.abc import Collection, Mapping
from datetime import date

from shared.errors import Invalid


def check_scores(scores: Mapping[str, int], indicators: Collection[str], scale_max: int) -> None:
    """Refuse scores that are not in the framework.

    Raises:
        Invalid: it names the first indicator that is unknown or off the scale from 0 to `scale_max`.
    """
    for indicator, score in scores.items():
        if indicator not in indicators:
            raise Invalid("unknown-indicator", f"The framework has no indicator {indicator!r}.", field="scores")
        if score > scale_max:
            raise Invalid("off-scale", f"{indicator}: {score} is over the scale's end, {scale_max}.", field="scores")


def check_dates(assessed_on: date, valid_until: date, today: date) -> None:
    """Refuse dates in the wrong order.

    Raises:
        Invalid: the assessment is in the future, or is valid until a day before it.
    """
    if assessed_on > today:
        raise Invalid("in-the-future", "An assessment cannot be dated in the future.", field="assessed_on")
    if valid_until < assessed_on:
        raise Invalid("ends-before-start", "An assessment cannot end before its date.", field="valid_until")
