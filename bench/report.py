"""The tables of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.harness import Bench, Goal, Rounds, middle, number


@dataclass(frozen=True, slots=True)
class Result:
    """A bench with its rounds, or the reason why there are none."""

    name: str
    bench: Bench | None
    rounds: Rounds
    reason: str = ""


UNITS: Mapping[str, str] = {
    "rate": "a second",
    "cpu": "us CPU each",
    "p50": "ms p50",
    "p99": "ms p99",
    "seconds": "s",
    "mib": "MiB",
    "ms": "ms",
    "of_best": "of the best",
    "dropped": "proposals dropped",
    "free": "dropped by a free plan",
}


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)  # noqa: T201  output of a command-line program


def tables(results: Sequence[Result]) -> list[str]:
    """The tables of ratios and of figures, with headings."""
    return ["## Ratios", "", *_goals_table(results), "", "## Figures", *_figures_table(results)]


def _goals_table(results: Sequence[Result]) -> list[str]:
    """Every ratio with its goal."""
    lines = ["| row | ratio | measured | rounds from, to | goal | |", "|---|---|---|---|---|---|"]
    for result in results:
        if result.bench is not None:
            lines += [_goal(goal, result.rounds) for goal in result.bench.goals]
        if result.reason:
            lines.append(f"| {result.name} | not measured: {result.reason} | | | | |")
    return lines


def _goal(goal: Goal, rounds: Rounds) -> str:
    ratios = goal.ratios(rounds)
    ratio = median(ratios)
    bound = "" if goal.bound is None else f"{'≤' if goal.at_most else '≥'} {goal.bound:g}"
    verdict = "" if goal.bound is None else ("met" if goal.met(ratio) else "**missed**")
    spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
    return f"| {goal.row} | {goal.what} | {ratio:.2f} | {spread} | {bound} | {verdict} |"


def _figures_table(results: Sequence[Result]) -> list[str]:
    """The figures of every variant: median, minimum and maximum."""
    lines = []
    for result in results:
        if result.bench is None:
            continue
        count = len(next(iter(result.rounds.values())))
        names = list(dict.fromkeys(name for rounds in result.rounds.values() for name in rounds[0]))
        lines += [
            "",
            f"**{result.name}**: {result.bench.title}; {count} round{'s' if count > 1 else ''}",
            "",
            f"| | {' | '.join(UNITS.get(name, name) for name in names)} |",
            f"|---|{'---|' * len(names)}",
        ]
        lines += [_figures(variant, result.rounds, names) for variant in result.bench.variants]
    return lines


def _figures(variant: str, rounds: Rounds, names: Sequence[str]) -> str:
    cells = []
    for name in names:
        if name not in rounds[variant][0]:
            cells.append("")
            continue
        value, minimum, maximum = middle(rounds[variant], name)
        cells.append(f"{number(value)} ({number(minimum)} to {number(maximum)})")
    return f"| {variant} | {' | '.join(cells)} |"
