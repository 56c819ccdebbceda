"""The effect of one change on a solved plan, by one cheapest path through its residual graph.

An edge of the graph adds an arc (learner to mentor), removes one (mentor to learner), or leads to or from the ground,
where unused slots come from and go to. The cost of an arc is its negative reduced value, which is never negative in an
optimal plan.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.matching.rules.engine.jit import kernel_function
from services.matching.rules.engine.kernel import UNREACHED
from services.matching.rules.engine.problem import Solved
from services.matching.rules.engine.solve import state_of

_GROUND = -1


class PlanChange(NamedTuple):
    """The gain in value of a changed problem's best plan, bonuses included, and the arcs that change."""

    gain: int
    added: tuple[int, ...]
    dropped: tuple[int, ...]


class _Edge(NamedTuple):
    """An edge of the residual graph: its cost, the node it leads to, and its arc (None to and from the ground)."""

    cost: int
    node: int
    arc: int | None


class Residual:
    """The residual graph of a plan. Nodes are the mentors, then the learners.

    Args:
        solved: an optimal plan.
    """

    def __init__(self, solved: Solved) -> None:
        problem = solved.problem
        self._mentors = len(problem.mentor_slots)
        self._bonus = problem.bonus
        self._mentor, self._learner = problem.mentor.tolist(), (problem.learner + self._mentors).tolist()
        self._taken = solved.taken.tolist()
        self._price: list[int] = [*solved.mentor_price.tolist(), *solved.learner_price.tolist()]
        self._reduced = problem.value - solved.mentor_price[problem.mentor] - solved.learner_price[problem.learner]
        self._slots = [*problem.mentor_slots.tolist(), *problem.learner_slots.tolist()]
        self._minimum = [*problem.mentor_minimum.tolist(), *problem.learner_minimum.tolist()]
        self._start = np.searchsorted(problem.learner, np.arange(len(problem.learner_slots) + 1)).tolist()
        self._state = state_of(solved)
        self._search: Callable[..., Any] = kernel_function("search", len(problem.value))
        self._one_more_changes: dict[int, PlanChange] = {}
        self._held = defaultdict[int, list[int]](list)
        self._load = [0] * len(self._price)
        for arc in np.flatnonzero(solved.taken).tolist():
            self._held[self._mentor[arc]].append(arc)
            self._load[self._mentor[arc]] += 1
            self._load[self._learner[arc]] += 1

    def forced(self, arc: int) -> PlanChange | None:
        """The change if the plan has to contain an arc; None if it cannot, because one of its ends has no slot."""
        if self._taken[arc]:
            return PlanChange(0, (), ())
        mentor, learner = self._mentor[arc], self._learner[arc]
        if not self._slots[mentor] or not self._slots[learner]:
            return None
        cost, path = self._cheapest_path(mentor, learner)
        return self._change(int(self._reduced[arc]) - cost, [*path, arc])

    def one_more_mentor_slot(self, mentor: int) -> PlanChange:
        """The change if a mentor had one more slot."""
        return self._one_more(mentor)

    def one_more_learner_slot(self, learner: int) -> PlanChange:
        """The change if a learner had one more slot."""
        return self._one_more(self._mentors + learner)

    def _one_more(self, node: int) -> PlanChange:
        if node not in self._one_more_changes:
            full = self._load[node] >= self._slots[node]
            self._one_more_changes[node] = self._searched(node) if full else PlanChange(0, (), ())
        return self._one_more_changes[node]

    def _searched(self, node: int) -> PlanChange:
        """The change if a full node had one more slot, by a search of the kernel."""
        state, path = self._state, []
        state.slots[node] += 1
        end, cost, count = self._search(state, np.int32(node), node >= self._mentors)
        state.slots[node] -= 1
        state.heap_index[state.reached[:count]] = UNREACHED
        while end != node:
            arc = int(state.via[end])
            path.append(arc)
            end = self._learner[arc] if end < self._mentors else self._mentor[arc]
        return self._change(self._price[node] - int(cost), path)

    def _change(self, gain: int, path: list[int]) -> PlanChange:
        added, dropped = [arc for arc in path if not self._taken[arc]], [arc for arc in path if self._taken[arc]]
        return PlanChange(gain, tuple(sorted(added)), tuple(sorted(dropped)))

    def _cheapest_path(self, source: int, target: int) -> tuple[int, list[int]]:
        """Cost and arcs of the cheapest path (Dijkstra)."""
        distances, via = {source: 0}, dict[int, tuple[int, int | None]]()
        queue = [(0, source)]
        while queue:
            distance, node = heapq.heappop(queue)
            if node == target:
                return distance, self._arcs(via, source, target)
            if distance > distances[node]:
                continue
            for edge in self._edges(node):
                if distance + edge.cost < distances.get(edge.node, distance + edge.cost + 1):
                    distances[edge.node] = distance + edge.cost
                    via[edge.node] = (node, edge.arc)
                    heapq.heappush(queue, (distance + edge.cost, edge.node))
        raise ValueError("There is no path, though there always is one through the ground.")

    def _arcs(self, via: dict[int, tuple[int, int | None]], source: int, target: int) -> list[int]:
        arcs, node = [], target
        while node != source:
            node, arc = via[node]
            if arc is not None:
                arcs.append(arc)
        return arcs

    def _edges(self, node: int) -> Iterator[_Edge]:
        if node == _GROUND:
            yield from self._from_ground
            return
        if node < self._mentors:
            for arc in self._held[node]:
                yield _Edge(int(self._reduced[arc]), self._learner[arc], arc)
            if self._load[node] < self._slots[node]:
                yield _Edge(self._gain_cost(node), _GROUND, None)
            return
        learner = node - self._mentors
        for arc in range(self._start[learner], self._start[learner + 1]):
            if not self._taken[arc]:
                yield _Edge(-int(self._reduced[arc]), self._mentor[arc], arc)
        if self._load[node]:
            yield _Edge(self._loss_cost(node), _GROUND, None)

    @cached_property
    def _from_ground(self) -> list[_Edge]:
        edges = []
        for node, load in enumerate(self._load):
            if node < self._mentors and load:
                edges.append(_Edge(self._loss_cost(node), node, None))
            elif node >= self._mentors and load < self._slots[node]:
                edges.append(_Edge(self._gain_cost(node), node, None))
        return edges

    def _gain_cost(self, node: int) -> int:
        """The cost of one more pair of a node, without that of the arc."""
        return -(self._bonus if self._load[node] < self._minimum[node] else 0) - self._price[node]

    def _loss_cost(self, node: int) -> int:
        """The cost of one pair less of a node, without that of the arc."""
        return self._price[node] + (self._bonus if self._load[node] <= self._minimum[node] else 0)
