"""The quality of plans: against all other plans, against hindsight, and by the proposals that they move."""

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
MOVE_PRICE = 1000
"""Move price, in hundredths of a point."""
OBJECTIVES: tuple[Objective, ...] = ("total", "pairs", "fairest")


def exact() -> Iterator[str]:
    """The engine's plans against all plans of small problems."""
    failures = list(disagreements(SMALL, 1))
    yield f"- {SMALL - len(failures):,} of {SMALL:,} random small problems (three objectives, minimum loads, ties): "
    yield "  the engine's plan is as good as the best of all plans, tried one by one."
    yield from (f"  - **{line}**" for line in failures[:10])


def objectives() -> Iterator[str]:
    """The plans of the three objectives."""
    plan_input = consortium(SIZE)
    default = make_plan(plan_input)
    yield from ("", f"**Objectives**, {SIZE} clusters:", "")
    yield from ("| objective | pairs | learners served | total | worst served | Gini |", "|---|---|---|---|---|---|")
    for objective in OBJECTIVES:
        other = replace(plan_input, criteria=Criteria(objective=objective))
        plan = make_plan(other)
        summary = compare(plan_input, default, other, plan).after
        worst = min((pair.score for pair in plan.pairs), default=0)
        points = f"{summary.total / 100:,.0f} | {worst / 100:.2f} | {summary.gini / 1000:.3f}"
        figures = f"{summary.pairs} | {summary.served} | {points}"
        yield f"| {objective} | {figures} |"
    yield "\nWorst served: the lowest score of a pair. Gini: over all learners, those without a mentor at 0."


def _year(seed: int, size: int, *, reserve: bool, before: bool = False) -> tuple[int, int]:
    """A year of monthly arrivals: the total of the monthly plans, and that of one plan in hindsight.

    With `before`, the learners of the year before are known; they have their mentors.
    """
    chance = random.Random(seed)  # noqa: S311  a draw that has to be the same each time
    members = consortium(size, seed).clusters
    mentors = [replace(cluster, learner_slots=0) for cluster in members if cluster.mentor_slots]
    learners = [replace(cluster, learner_slots=1) for cluster in members if not cluster.mentor_slots]
    chance.shuffle(learners)
    months = [learners[month::MONTHS] for month in range(MONTHS)]
    earlier = clusters(size, seed + 1000) if before else []
    present = [replace(cluster, learner_slots=1) for cluster in earlier if not cluster.mentor_slots]
    fixed = tuple(PairKey(UUID(int=0), learner.id) for learner in present)
    total = 0
    for month, arrivals in enumerate(months):
        present += arrivals
        left = MONTHS - 1 - month
        criteria = Criteria(reserve=Reserve(on=reserve and left > 0, arrivals=len(arrivals), days=max(30 * left, 1)))
        plan = make_plan(
            PlanInput(today=TODAY, clusters=(*mentors, *present), fixed_pairs=fixed, criteria=criteria, seed=seed)
        )
        fixed, total = tuple({*fixed, *_pairs(plan)}), plan.total
    return total, make_plan(PlanInput(today=TODAY, clusters=(*mentors, *learners))).total


def reserve() -> Iterator[str]:
    """Plans with a reserve against plans without."""
    yield from ("", f"**Reserve**, {YEARS} simulated years, learners month by month; goal 98 %:", "")
    yield from ("| clusters | | share of hindsight's total, median | least | greatest |", "|---|---|---|---|---|")
    for size in (SIZE // 2, SIZE):
        for name, on, before in (
            ("reserve, the learners of a year before known", True, True),
            ("reserve, nobody known before", True, False),
            ("the best plan each month, nothing reserved (greedy)", False, False),
        ):
            years = [_year(seed, size, reserve=on, before=before) for seed in range(1, YEARS + 1)]
            shares = [planned / whole for planned, whole in years]
            yield f"| {size} | {name} | {median(shares):.1%} | {min(shares):.1%} | {max(shares):.1%} |"


def _changed(plan_input: PlanInput, chance: random.Random) -> PlanInput:
    """A random change: a cluster gains levels, has a slot less, or leaves."""
    number = chance.randrange(len(plan_input.clusters))
    cluster = plan_input.clusters[number]
    kind = chance.randrange(3)
    if kind == 0:
        changed = [replace(cluster, levels={skill: min(level + 1, 5) for skill, level in cluster.levels.items()})]
    elif kind == 1:
        changed = [replace(cluster, mentor_slots=max(cluster.mentor_slots - 1, 0))]
    else:
        changed = []
    clusters = (*plan_input.clusters[:number], *changed, *plan_input.clusters[number + 1 :])
    ids = {cluster.id for cluster in clusters}
    proposals = tuple(pair for pair in plan_input.open_proposals if set(pair) <= ids)
    return replace(plan_input, clusters=clusters, open_proposals=proposals)


def _pairs(plan: Plan) -> set[PairKey]:
    return {PairKey(pair.mentor_id, pair.learner_id) for pair in plan.pairs}


def moves() -> Iterator[str]:
    """Plans after a change, with a move price and from scratch."""
    chance = random.Random(3)  # noqa: S311  as above
    plan_input = consortium(SIZE)
    proposals = tuple(_pairs(make_plan(plan_input)))
    moves_made, free_moves, impossible, totals = 0, 0, 0, []
    for _ in range(CHANGES):
        changed = _changed(replace(plan_input, open_proposals=proposals), chance)
        priced = make_plan(replace(changed, criteria=Criteria(move_price=MOVE_PRICE)))
        unpriced = make_plan(replace(changed, open_proposals=()))
        lost = {PairKey(pair.mentor_id, pair.learner_id) for pair in priced.dropped if not pair.possible}
        impossible += len(lost)
        moves_made += len(priced.dropped) - len(lost)
        free_moves += len(set(changed.open_proposals) - _pairs(unpriced) - lost)
        totals.append(priced.total / unpriced.total)
    yield from ("", f"**Moves**, {CHANGES} single changes of {SIZE} clusters with {len(proposals)} open proposals:", "")
    price = MOVE_PRICE / 100
    yield f"- proposals dropped with a price of {price:g} points: {moves_made}; planned from scratch: {free_moves}"
    yield f"  (and {impossible} that were not possible any more, whatever is planned)"
    share = moves_made / max(free_moves, 1)
    yield f"- that is {share:.0%} of the moves (goal 10 %), at {median(totals):.2%} of the total "
    yield f"  (least {min(totals):.2%}; goal 99 %)"


def what_ifs() -> Iterator[str]:
    """The time of a what-if."""
    warm_up()
    chance = random.Random(4)  # noqa: S311  as above
    plan_input = consortium(SIZE)
    solver_ms, plan_ms = [], []
    for _ in range(CHANGES):
        changed = _changed(plan_input, chance)
        problem = assignment_problem(changed)
        begun = perf_counter()
        solve_objective(problem.network, problem.score, "total", NEVER_STOP)
        solver_ms.append((perf_counter() - begun) * 1e3)
        begun = perf_counter()
        make_plan(changed)
        plan_ms.append((perf_counter() - begun) * 1e3)
    yield from ("", f"**What-if**, {SIZE} clusters, {CHANGES} of them:", "")
    solver, plan = (
        f"{np.median(times):.0f} ms, p99 {percentile(times, 0.99):.0f} ms" for times in (solver_ms, plan_ms)
    )
    yield f"- the solver: {solver} (goal 50 ms); the whole plan with scores, prices and reasons: {plan}"


def lines() -> Iterator[str]:
    """The whole section of the report."""
    for part in (exact, objectives, reserve, moves, what_ifs):
        yield from part()
