"""What a solved plan becomes by one change, by one cheapest way through its residual graph: nothing is solved anew.

A way leads from node to node by taking an arc (learner to mentor) or giving one up (mentor to learner), and through
the ground (where places that nobody holds come from and go to). It costs what its arcs are worth less than the prices
of their ends, which is never less than nothing in a plan that is proved.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.matching.rules.engine.kernel import UNREACHED
from services.matching.rules.engine.problem import Solved
from services.matching.rules.engine.solve import kernel_function, state_of

_GROUND = -1


class PlanChange(NamedTuple):
    """By how much the changed problem's best plan is worth more, and which arcs change.

    `gain` counts in the bonus of each pair that a minimum load needs.
    """

    gain: int
    added: tuple[int, ...]
    dropped: tuple[int, ...]


class _Step(NamedTuple):
    """One step of a way: what it costs, where it leads, and the arc that changes (none to and from the ground)."""

    cost: int
    node: int
    arc: int | None


class Residual:
    """The residual graph of a plan. Nodes are the mentors, then the learners.

    Args:
        solved: a plan that is proved to be the best.
    """

    def __init__(self, solved: Solved) -> None:
        problem = solved.problem
        self._mentors = len(problem.mentor_slots)
        self._bonus = problem.bonus
        self._mentor, self._learner = problem.mentor.tolist(), (problem.learner + self._mentors).tolist()
        self._taken = solved.taken.tolist()
        self._price: list[int] = [*solved.mentor_price.tolist(), *solved.learner_price.tolist()]
        self._over = problem.worth - solved.mentor_price[problem.mentor] - solved.learner_price[problem.learner]
        self._places = [*problem.mentor_slots.tolist(), *problem.learner_slots.tolist()]
        self._least = [*problem.mentor_minimum.tolist(), *problem.learner_minimum.tolist()]
        self._start = np.searchsorted(problem.learner, np.arange(len(problem.learner_slots) + 1)).tolist()
        self._state = state_of(solved)
        self._search: Callable[..., Any] = kernel_function("search", len(problem.worth))
        self._known: dict[int, PlanChange] = {}
        self._held = defaultdict[int, list[int]](list)
        self._load = [0] * len(self._price)
        for arc in np.flatnonzero(solved.taken).tolist():
            self._held[self._mentor[arc]].append(arc)
            self._load[self._mentor[arc]] += 1
            self._load[self._learner[arc]] += 1

    def forced(self, arc: int) -> PlanChange | None:
        """The best plan that has an arc; None if there is none, because an end of it has no place."""
        if self._taken[arc]:
            return PlanChange(0, (), ())
        mentor, learner = self._mentor[arc], self._learner[arc]
        if not self._places[mentor] or not self._places[learner]:
            return None
        cost, way = self._way(mentor, learner)
        return self._change(int(self._over[arc]) - cost, [*way, arc])

    def one_more_mentor_slot(self, mentor: int) -> PlanChange:
        """The best plan if a mentor had one more place."""
        return self._one_more(mentor)

    def one_more_learner_slot(self, learner: int) -> PlanChange:
        """The best plan if a learner had one more place."""
        return self._one_more(self._mentors + learner)

    def _one_more(self, node: int) -> PlanChange:
        if node not in self._known:
            full = self._load[node] >= self._places[node]
            self._known[node] = self._searched(node) if full else PlanChange(0, (), ())
        return self._known[node]

    def _searched(self, node: int) -> PlanChange:
        state, way = self._state, []
        state.places[node] += 1
        end, cost, seen = self._search(state, np.int32(node), node >= self._mentors)
        state.places[node] -= 1
        state.where[state.seen[:seen]] = UNREACHED
        while end != node:
            arc = int(state.via[end])
            way.append(arc)
            end = self._learner[arc] if end < self._mentors else self._mentor[arc]
        return self._change(self._price[node] - int(cost), way)

    def _change(self, gain: int, way: list[int]) -> PlanChange:
        added, dropped = [arc for arc in way if not self._taken[arc]], [arc for arc in way if self._taken[arc]]
        return PlanChange(gain, tuple(sorted(added)), tuple(sorted(dropped)))

    def _way(self, source: int, target: int) -> tuple[int, list[int]]:
        """The cheapest way: what it costs, and its arcs."""
        dist, via = {source: 0}, dict[int, tuple[int, int | None]]()
        open_ = [(0, source)]
        while open_:
            far, node = heapq.heappop(open_)
            if node == target:
                return far, self._arcs(via, source, target)
            if far > dist[node]:
                continue
            for step in self._steps(node):
                if far + step.cost < dist.get(step.node, far + step.cost + 1):
                    dist[step.node] = far + step.cost
                    via[step.node] = (node, step.arc)
                    heapq.heappush(open_, (far + step.cost, step.node))
        raise ValueError("There is no way, though there always is one through the ground.")

    def _arcs(self, via: dict[int, tuple[int, int | None]], source: int, target: int) -> list[int]:
        arcs, node = [], target
        while node != source:
            node, arc = via[node]
            if arc is not None:
                arcs.append(arc)
        return arcs

    def _steps(self, node: int) -> Iterator[_Step]:
        if node == _GROUND:
            yield from self._from_ground
            return
        if node < self._mentors:
            for arc in self._held[node]:
                yield _Step(int(self._over[arc]), self._learner[arc], arc)
            if self._load[node] < self._places[node]:
                yield _Step(self._to_gain(node), _GROUND, None)
            return
        number = node - self._mentors
        for arc in range(self._start[number], self._start[number + 1]):
            if not self._taken[arc]:
                yield _Step(-int(self._over[arc]), self._mentor[arc], arc)
        if self._load[node]:
            yield _Step(self._to_lose(node), _GROUND, None)

    @cached_property
    def _from_ground(self) -> list[_Step]:
        steps = []
        for node, load in enumerate(self._load):
            if node < self._mentors and load:
                steps.append(_Step(self._to_lose(node), node, None))
            elif node >= self._mentors and load < self._places[node]:
                steps.append(_Step(self._to_gain(node), node, None))
        return steps

    def _to_gain(self, node: int) -> int:
        """What it costs that a node has one pair more beside the pair's arc."""
        return -(self._bonus if self._load[node] < self._least[node] else 0) - self._price[node]

    def _to_lose(self, node: int) -> int:
        """What it costs that a node has one pair less."""
        return self._price[node] + (self._bonus if self._load[node] <= self._least[node] else 0)
