"""How good plans are: against every other plan, against hindsight, and how much they disturb."""

import random
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter
from uuid import UUID

import numpy as np

from bench.harness import percentile
from bench.matching.small import disagreements
from bench.matching.world import TODAY, clusters, consortium
from services.matching.rules.engine import NEVER_STOP, warm_up
from services.matching.rules.explaining.plan_diff import compare
from services.matching.rules.inputs.criteria import Criteria, Objective, Reserve
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.rules.planning.assignment_problem import assignment_problem
from services.matching.rules.planning.objectives import solve_objective
from services.matching.rules.report import make_plan

SMALL = 10_000
SIZE = 500
MONTHS = 12
YEARS = 10
CHANGES = 30
PRICE = 1000
"""Of dropping an open proposal, in hundredths of a point."""
OBJECTIVES: tuple[Objective, ...] = ("total", "pairs", "fairest")


def exact() -> Iterator[str]:
    """The engine against every plan there is."""
    wrong = list(disagreements(SMALL, 1))
    yield f"- {SMALL - len(wrong):,} of {SMALL:,} random small problems (three objectives, minimum loads, ties): "
    yield "  the engine's plan is as good as the best of all plans, tried one by one."
    yield from (f"  - **{line}**" for line in wrong[:10])


def objectives() -> Iterator[str]:
    """The three side by side."""
    asked = consortium(SIZE)
    plain = make_plan(asked)
    yield from ("", f"**Objectives**, {SIZE} clusters:", "")
    yield from ("| objective | pairs | learners served | total | worst served | Gini |", "|---|---|---|---|---|---|")
    for objective in OBJECTIVES:
        other = replace(asked, criteria=Criteria(objective=objective))
        made = make_plan(other)
        side = compare(asked, plain, other, made).after
        worst = min((pair.score for pair in made.pairs), default=0)
        figures = f"{side.pairs} | {side.served} | {side.total / 100:,.0f} | {worst / 100:.2f} | {side.gini / 1000:.3f}"
        yield f"| {objective} | {figures} |"
    yield "\nWorst served: the lowest score of a pair. Gini: over all learners, those without a mentor at 0."


def _year(seed: int, size: int, *, reserve: bool, before: bool = False) -> tuple[int, int]:
    """A year in which learners come month by month: what was planned as they came, and what hindsight would have.

    With a year `before`, others who came then are known; they have their mentors.
    """
    chance = random.Random(seed)  # noqa: S311  a draw that has to be the same each time
    everybody = consortium(size, seed).clusters
    mentors = [replace(one, learner_slots=0) for one in everybody if one.mentor_slots]
    learners = [replace(one, learner_slots=1) for one in everybody if not one.mentor_slots]
    chance.shuffle(learners)
    months = [learners[month::MONTHS] for month in range(MONTHS)]
    earlier = clusters(size, seed + 1000) if before else []
    here = [replace(one, learner_slots=1) for one in earlier if not one.mentor_slots]
    kept = tuple(PairKey(UUID(int=0), one.id) for one in here)
    total = 0
    for month, arrived in enumerate(months):
        here += arrived
        left = MONTHS - 1 - month
        looked = Reserve(on=reserve and left > 0, arrivals=len(arrived), days=max(30 * left, 1))
        criteria = Criteria(reserve=looked)
        plan = make_plan(
            PlanInput(today=TODAY, clusters=(*mentors, *here), fixed_pairs=kept, criteria=criteria, seed=seed)
        )
        kept, total = tuple({*kept, *_twos(plan)}), plan.total
    return total, make_plan(PlanInput(today=TODAY, clusters=(*mentors, *learners))).total


def reserve() -> Iterator[str]:
    """Whoever keeps places against whoever gives them at once."""
    yield from ("", f"**Reserve**, {YEARS} simulated years, learners month by month; goal 98 %:", "")
    yield from ("| clusters | | share of hindsight's total, median | least | greatest |", "|---|---|---|---|---|")
    for size in (SIZE // 2, SIZE):
        for name, on, before in (
            ("reserve, the learners of a year before known", True, True),
            ("reserve, nobody known before", True, False),
            ("the best plan each month, nothing kept (greedy)", False, False),
        ):
            years = [_year(seed, size, reserve=on, before=before) for seed in range(1, YEARS + 1)]
            shares = [planned / whole for planned, whole in years]
            yield f"| {size} | {name} | {median(shares):.1%} | {min(shares):.1%} | {max(shares):.1%} |"


def _changed(asked: PlanInput, chance: random.Random) -> PlanInput:
    """One change: a cluster can more, has a place less, or is gone."""
    number = chance.randrange(len(asked.clusters))
    one = asked.clusters[number]
    kind = chance.randrange(3)
    if kind == 0:
        changed = [replace(one, levels={skill: min(level + 1, 5) for skill, level in one.levels.items()})]
    elif kind == 1:
        changed = [replace(one, mentor_slots=max(one.mentor_slots - 1, 0))]
    else:
        changed = []
    clusters = (*asked.clusters[:number], *changed, *asked.clusters[number + 1 :])
    here = {cluster.id for cluster in clusters}
    return replace(
        asked, clusters=clusters, open_proposals=tuple(two for two in asked.open_proposals if set(two) <= here)
    )


def _twos(plan: Plan) -> set[PairKey]:
    return {PairKey(pair.mentor_id, pair.learner_id) for pair in plan.pairs}


def moves() -> Iterator[str]:
    """Planning again after a change, with a price of moving and from scratch."""
    chance = random.Random(3)  # noqa: S311  as above
    asked = consortium(SIZE)
    proposed = tuple(_twos(make_plan(asked)))
    moved, anew, gone, totals = 0, 0, 0, []
    for _ in range(CHANGES):
        now = _changed(replace(asked, open_proposals=proposed), chance)
        priced = make_plan(replace(now, criteria=Criteria(move_price=PRICE)))
        scratch = make_plan(replace(now, open_proposals=()))
        over = {PairKey(one.mentor_id, one.learner_id) for one in priced.dropped if not one.possible}
        gone += len(over)
        moved += len(priced.dropped) - len(over)
        anew += len(set(now.open_proposals) - _twos(scratch) - over)
        totals.append(priced.total / scratch.total)
    yield from ("", f"**Moves**, {CHANGES} single changes of {SIZE} clusters with {len(proposed)} open proposals:", "")
    yield f"- proposals dropped with a price of {PRICE / 100:g} points: {moved}; planned from scratch: {anew}"
    yield f"  (and {gone} that were not possible any more, whatever is planned)"
    yield f"- that is {moved / max(anew, 1):.0%} of the moves (goal 10 %), at {median(totals):.2%} of the total "
    yield f"  (least {min(totals):.2%}; goal 99 %)"


def what_ifs() -> Iterator[str]:
    """How long one what-if takes."""
    warm_up()
    chance = random.Random(4)  # noqa: S311  as above
    asked = consortium(SIZE)
    solving, whole = [], []
    for _ in range(CHANGES):
        now = _changed(asked, chance)
        problem = assignment_problem(now)
        begun = perf_counter()
        solve_objective(problem.network, problem.score, "total", NEVER_STOP)
        solving.append((perf_counter() - begun) * 1e3)
        begun = perf_counter()
        make_plan(now)
        whole.append((perf_counter() - begun) * 1e3)
    yield from ("", f"**What-if**, {SIZE} clusters, {CHANGES} of them:", "")
    told = [f"{np.median(one):.0f} ms, p99 {percentile(one, 0.99):.0f} ms" for one in (solving, whole)]
    yield f"- the solver: {told[0]} (goal 50 ms); the whole answer with scores, prices and reasons: {told[1]}"


def lines() -> Iterator[str]:
    """All of it."""
    for part in (exact, objectives, reserve, moves, what_ifs):
        yield from part()
