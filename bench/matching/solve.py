"""The optimal plan by Kei's solver and by well-known others, on the same arrays in this process."""

from collections.abc import Callable, Mapping
from functools import cache

import highspy
import numpy as np
from ortools.graph.python import min_cost_flow
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from bench.harness import Bench, Goal, Metrics, Variant, watch
from bench.matching.memory import peak
from bench.matching.world import instance
from services.matching.rules.engine import Problem, check, solve

Peer = Callable[[Problem], int]
"""Returns the value of the best plan that it finds."""


@cache
def optimum(problem: Callable[[], Problem]) -> int:
    """The value of the optimal plan, checked by its certificate."""
    solved = solve(problem())
    check(solved)
    return int(solved.problem.value[solved.taken].sum())


def kei(problem: Problem) -> int:
    """Kei's solver."""
    solved = solve(problem)
    return int(problem.value[solved.taken].sum())


def flow(problem: Problem) -> int:
    """OR-tools' SimpleMinCostFlow: source, learners, mentors, sink, and a bypass arc from source to sink."""
    learners, mentors = len(problem.learner_slots), len(problem.mentor_slots)
    source, sink, ones = learners + mentors, learners + mentors + 1, np.ones(len(problem.value), np.int64)
    graph = min_cost_flow.SimpleMinCostFlow()
    add = graph.add_arcs_with_capacity_and_unit_cost
    nothing = np.zeros(max(learners, mentors), np.int64)
    add(np.full(learners, source), np.arange(learners), problem.learner_slots.astype(np.int64), nothing[:learners])
    add(problem.learner.astype(np.int64), problem.mentor.astype(np.int64) + learners, ones, -problem.value)
    to_sink = np.arange(learners, learners + mentors), np.full(mentors, sink)
    add(*to_sink, problem.mentor_slots.astype(np.int64), nothing[:mentors])
    supply = int(problem.learner_slots.sum())
    add(np.array([source]), np.array([sink]), np.array([supply]), np.array([0]))
    graph.set_nodes_supplies(np.array([source, sink]), np.array([supply, -supply]))
    if graph.solve() != graph.OPTIMAL:
        raise ValueError("SimpleMinCostFlow found no optimum.")
    return -int(graph.optimal_cost())


def assignment(problem: Problem) -> int:
    """SciPy's linear_sum_assignment on the full matrix; a mentor has a column for each slot."""
    value = np.zeros((len(problem.learner_slots), len(problem.mentor_slots)), np.int64)
    value[problem.learner, problem.mentor] = problem.value
    value = np.repeat(value, problem.mentor_slots, axis=1)
    rows, columns = linear_sum_assignment(value, maximize=True)
    return int(value[rows, columns].sum())


def matching(problem: Problem) -> int:
    """SciPy's min_weight_full_bipartite_matching; each learner has an additional column of value 0."""
    learners, mentors = len(problem.learner_slots), len(problem.mentor_slots)
    first = np.concatenate([[0], np.cumsum(problem.mentor_slots)])
    times = problem.mentor_slots[problem.mentor]
    slot = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times) + np.repeat(first[problem.mentor], times)
    rows = np.concatenate([np.repeat(problem.learner, times), np.arange(learners)])
    columns = np.concatenate([slot, first[mentors] + np.arange(learners)])
    value = np.concatenate([np.repeat(problem.value, times), np.zeros(learners, np.int64)])
    # Explicit zeros would be dropped, so 1 is added to each value.
    graph = coo_array((value + 1, (rows, columns)), shape=(learners, int(first[mentors]) + learners)).tocsr()
    taken = min_weight_full_bipartite_matching(graph, maximize=True)
    return int(graph[taken].sum()) - learners


def linear(problem: Problem) -> int:
    """HiGHS on the linear programme, whose vertices are integral."""
    arcs, learners = len(problem.value), len(problem.learner_slots)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = arcs, learners + len(problem.mentor_slots)
    model.col_cost_, model.col_lower_, model.col_upper_ = -problem.value.astype(float), np.zeros(arcs), np.ones(arcs)
    model.row_lower_ = np.zeros(model.num_row_)
    model.row_upper_ = np.concatenate([problem.learner_slots, problem.mentor_slots]).astype(float)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.arange(arcs + 1) * 2
    model.a_matrix_.index_ = np.column_stack([problem.learner, problem.mentor + learners]).ravel()
    model.a_matrix_.value_ = np.ones(2 * arcs)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", "false")
    highs.passModel(model)
    highs.run()
    return -round(float(highs.getInfo().objective_function_value))


def greedy(problem: Problem) -> int:
    """Takes the best pair that still fits until none does, as people do by hand."""
    left = [problem.mentor_slots.tolist(), problem.learner_slots.tolist()]
    mentor, learner, total = problem.mentor.tolist(), problem.learner.tolist(), 0
    for arc in np.argsort(-problem.value, kind="stable").tolist():
        if left[0][mentor[arc]] and left[1][learner[arc]]:
            left[0][mentor[arc]] -= 1
            left[1][learner[arc]] -= 1
            total += int(problem.value[arc])
    return total


def _bench(title: str, make: Callable[[], Problem], peers: Mapping[str, Peer], goals: list[Goal]) -> Bench:
    """One size; every exact solver has to find the value that the certificate proves."""
    problem = cache(make)

    def variant(peer: Peer) -> Variant:
        memory = cache(lambda: peak(lambda: peer(problem())))

        async def run() -> Metrics:
            current = problem()
            with watch() as running:
                value = peer(current)
            if peer is not greedy and value != optimum(problem):
                raise ValueError(f"{peer.__name__} found {value}, but {optimum(problem)} is proved.")
            time = {"rate": 1 / running.seconds, "ms": running.seconds * 1e3}
            return time | {"mib": memory(), "of_best": value / optimum(problem)}

        return run

    variants = {name: variant(peer) for name, peer in {"Kei": kei, **peers}.items()}
    return Bench(title, variants, goals)


def benches() -> dict[str, Bench]:
    """All sizes."""
    default_peers = {"SimpleMinCostFlow": flow, "greedy": greedy}

    def goal(what: str, bound: float | None) -> list[Goal]:
        return [Goal("solve", f"{what}: Kei / SimpleMinCostFlow", "Kei", "SimpleMinCostFlow", bound)]

    dense = goal("1,000 x 1,000", None)
    dense += [Goal("solve", "1,000 x 1,000: Kei / linear_sum_assignment", "Kei", "linear_sum_assignment")]
    sparse = {"linear_sum_assignment": assignment, "full_bipartite_matching": matching, "HiGHS": linear}
    wide = {**default_peers, "full_bipartite_matching": matching}
    return {
        "solve-small": _bench(
            "500 learners, 20 arcs each, 2 slots a learner",
            lambda: instance(500, 20),
            {**default_peers, **sparse},
            [*goal("500 x 20", None), Goal("solve", "500 x 20: Kei / HiGHS", "Kei", "HiGHS")],
        ),
        "solve-dense": _bench(
            "1,000 learners, every mentor, 2 slots a learner",
            lambda: instance(1000, 1000),
            {**default_peers, "linear_sum_assignment": assignment},
            dense,
        ),
        "solve-10k": _bench(
            "10,000 learners, 50 arcs each", lambda: instance(10_000, 50), wide, goal("10,000 x 50", 6)
        ),
        "solve-scarce": _bench(
            "the same, with slots for six learners of ten",
            lambda: instance(10_000, 50, slots=0.6),
            default_peers,
            goal("10,000 x 50, scarce", 1.5),
        ),
        "solve-100k": _bench(
            "100,000 learners, 20 arcs each", lambda: instance(100_000, 20), default_peers, goal("100,000 x 20", 12)
        ),
    }
