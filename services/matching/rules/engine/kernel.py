"""Successive shortest augmenting paths on flat arrays: one source, compiled where that pays.

Learners' slots are filled one by one. Each new slot searches the cheapest path to an end. The cost of a pair is its
negative reduced value: the prices of its two slots less its value. A path ends at a mentor with a free slot, or at a
learner that gives up a pair, possibly the source itself. Then the prices of the nodes on the way change such that the
plan and the prices prove each other (Edmonds and Karp, Tomizawa; Jonker and Volgenant for the assignment problem). The
same search, started elsewhere or in the other direction, repairs a plan after a change.

Nodes are the mentors, then the learners.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INFINITY = 2**62
UNREACHED, SETTLED = -1, -2
"""Values of `heap_index` for nodes outside the heap."""


class State(NamedTuple):
    """The arrays that the kernel works on.

    Attributes:
        mentors: number of mentors.
        bonus: what a pair that meets a minimum load counts in addition to its value.
        arc_mentor: the mentor's node of each arc.
        arc_learner: the learner's node of each arc.
        value: of each arc.
        start: of each learner, the index of its first arc; then the number of arcs.
        taken: of each arc, whether it is in the plan.
        held_index: of each taken arc, its index in `held`.
        held: the taken arcs of each mentor, from its `held_start` on.
        held_start: of each mentor, where its part of `held` begins.
        by_mentor: the arcs in the order of mentors; used by inward searches only.
        mentor_start: of each mentor, where its part of `by_mentor` begins; then the number of arcs.
        slots: of each node.
        minimum: the minimum load of each node.
        load: the number of pairs of each node.
        price: of a slot of each node.
        distance: of each node in a search.
        via: the arc by which a search reached each node.
        heap_index: the index of each node in the heap, UNREACHED or SETTLED.
        heap: nodes, the nearest first.
        reached: the nodes that a search has reached.
    """

    mentors: int
    bonus: int
    arc_mentor: NDArray[np.int32]
    arc_learner: NDArray[np.int32]
    value: NDArray[np.int64]
    start: NDArray[np.int64]
    taken: NDArray[np.bool_]
    held_index: NDArray[np.int32]
    held: NDArray[np.int32]
    held_start: NDArray[np.int64]
    by_mentor: NDArray[np.int32]
    mentor_start: NDArray[np.int64]
    slots: NDArray[np.int32]
    minimum: NDArray[np.int32]
    load: NDArray[np.int32]
    price: NDArray[np.int64]
    distance: NDArray[np.int64]
    via: NDArray[np.int32]
    heap_index: NDArray[np.int32]
    heap: NDArray[np.int32]
    reached: NDArray[np.int32]


def is_nearer(s: State, node: int, other: int) -> bool:
    """Whether a node comes before another; equal distances are ordered by number, so that the plan is deterministic."""
    return bool(s.distance[node] < s.distance[other] or (s.distance[node] == s.distance[other] and node < other))


def sift_up(s: State, node: int, index: int) -> None:
    """Put a node into the heap at an index, and move it towards the root while it is nearer than its parent."""
    while index > 0:
        parent = (index - 1) >> 1
        other = s.heap[parent]
        if not is_nearer(s, node, other):
            break
        s.heap[index] = other
        s.heap_index[other] = index
        index = parent
    s.heap[index] = node
    s.heap_index[node] = index


def pop_nearest(s: State, size: int) -> int:
    """Remove the nearest node from a heap of the given size."""
    top, node, size, index = s.heap[0], s.heap[size - 1], size - 1, 0
    s.heap_index[top] = SETTLED
    if size == 0:
        return top  # type: ignore[no-any-return]
    while True:
        child = 2 * index + 1
        if child >= size:
            break
        other = s.heap[child]
        if child + 1 < size and is_nearer(s, s.heap[child + 1], other):
            child += 1
            other = s.heap[child]
        if not is_nearer(s, other, node):
            break
        s.heap[index] = other
        s.heap_index[other] = index
        index = child
    s.heap[index] = node
    s.heap_index[node] = index
    return top  # type: ignore[no-any-return]


def gain_cost(s: State, node: int) -> int:
    """The cost of a path that ends with one more pair of a node; INFINITY if it has no free slot."""
    if s.load[node] >= s.slots[node]:
        return INFINITY
    gain = s.bonus if s.load[node] < s.minimum[node] else 0
    return -gain - s.price[node]  # type: ignore[no-any-return]


def loss_cost(s: State, node: int, load: int) -> int:
    """The cost of a path that ends with one pair less of a node that has `load` pairs."""
    return s.price[node] + (s.bonus if load <= s.minimum[node] else 0)  # type: ignore[no-any-return]


def search(s: State, source: int, outward: bool) -> tuple[int, int, int]:  # noqa: FBT001  positional for numba
    """The cheapest path from a node: its end, its cost, and the number of nodes that were reached.

    Outward, a learner gets a pair or a mentor gives one up, and others give way; inward, a mentor gets a pair or a
    learner gives one up, and others take the slot. A node with more pairs than slots has to change; any other may end
    the path itself.
    """
    s.distance[source] = 0
    s.via[source] = UNREACHED
    s.reached[0] = s.heap[0] = source
    s.heap_index[source] = 0
    count, size = 1, 1
    end, best = adjacent_end(s, source, outward)
    while size > 0 and s.distance[s.heap[0]] < best:
        node, size = pop_nearest(s, size), size - 1
        distance = s.distance[node]
        adds = (node >= s.mentors) == outward
        begin, stop = arc_range(s, node, outward)
        for index in range(begin, stop):
            arc = arc_at(s, node, index, outward)
            if s.taken[arc] == adds:
                continue
            reduced = s.value[arc] - s.price[s.arc_mentor[arc]] - s.price[s.arc_learner[arc]]
            other = s.arc_learner[arc] if node < s.mentors else s.arc_mentor[arc]
            length = distance - reduced if adds else distance + reduced
            heap_index = s.heap_index[other]
            if length >= best or heap_index == SETTLED or (heap_index != UNREACHED and s.distance[other] <= length):
                continue
            end_cost = gain_cost(s, other) if adds else loss_cost(s, other, s.load[other])
            if heap_index == UNREACHED:
                s.reached[count] = other
                count += 1
                heap_index = size
                size += 1
            s.distance[other] = length
            s.via[other] = arc
            sift_up(s, other, heap_index)
            if length + end_cost < best:
                end, best = other, length + end_cost
    return end, best, count


def adjacent_end(s: State, source: int, outward: bool) -> tuple[int, int]:  # noqa: FBT001  positional for numba
    """The best end among the source and its neighbours, and its cost, which bounds the search."""
    end, best = source, INFINITY
    if s.load[source] < s.slots[source]:
        best = loss_cost(s, source, s.load[source] + 1)
    if (source >= s.mentors) == outward:
        begin, stop = arc_range(s, source, outward)
        for index in range(begin, stop):
            arc = arc_at(s, source, index, outward)
            other = s.arc_mentor[arc] if outward else s.arc_learner[arc]
            if s.taken[arc] or s.load[other] >= s.slots[other]:
                continue
            reduced = s.value[arc] - s.price[other] - s.price[source]
            if gain_cost(s, other) - reduced < best:
                end, best = other, gain_cost(s, other) - reduced
                s.via[other] = arc
    return end, best


def arc_range(s: State, node: int, outward: bool) -> tuple[int, int]:  # noqa: FBT001  positional for numba
    """The range of indexes of the arcs that a search may follow from a node."""
    if node >= s.mentors:
        return s.start[node - s.mentors], s.start[node - s.mentors + 1]
    if outward:
        return s.held_start[node], s.held_start[node] + s.load[node]
    return s.mentor_start[node], s.mentor_start[node + 1]


def arc_at(s: State, node: int, index: int, outward: bool) -> int:  # noqa: FBT001  positional for numba
    """The arc at an index of that range."""
    if node >= s.mentors:
        return index
    return s.held[index] if outward else s.by_mentor[index]  # type: ignore[no-any-return]


def update_prices(s: State, cost: int, count: int, outward: bool) -> None:  # noqa: FBT001  positional for numba
    """Change the prices of the reached nodes that are nearer than the end, and reset the search."""
    for index in range(count):
        node = s.reached[index]
        nearer_by = cost - s.distance[node]
        if nearer_by > 0:
            if (node < s.mentors) == outward:
                s.price[node] += nearer_by
            else:
                s.price[node] -= nearer_by
        s.heap_index[node] = UNREACHED


def augment(s: State, source: int, end: int, outward: bool) -> bool:  # noqa: FBT001  positional for numba
    """Change the plan along the path to its end; whether anything changes."""
    for adding in (False, True):  # slots are freed first
        node, adds = end, (end < s.mentors) == outward
        while node != source:
            arc = s.via[node]
            if adds == adding:
                if adding:
                    take(s, arc)
                else:
                    release(s, arc)
            node = s.arc_learner[arc] if node < s.mentors else s.arc_mentor[arc]
            adds = not adds
    return end != source


def take(s: State, arc: int) -> None:
    """Put an arc into the plan."""
    mentor = s.arc_mentor[arc]
    index = s.held_start[mentor] + s.load[mentor]
    s.held[index] = arc
    s.held_index[arc] = index
    s.taken[arc] = True
    s.load[mentor] += 1
    s.load[s.arc_learner[arc]] += 1


def take_many(s: State, arcs: NDArray[np.int32]) -> None:
    """Put arcs into the plan."""
    for arc in arcs:
        take(s, arc)


def release(s: State, arc: int) -> None:
    """Remove an arc from the plan."""
    mentor = s.arc_mentor[arc]
    s.load[mentor] -= 1
    s.load[s.arc_learner[arc]] -= 1
    s.taken[arc] = False
    last = s.held[s.held_start[mentor] + s.load[mentor]]
    s.held[s.held_index[arc]] = last
    s.held_index[last] = s.held_index[arc]


def change(s: State, node: int, outward: bool) -> bool:  # noqa: FBT001  positional for numba
    """Change the plan at a node along the cheapest path; whether anything changes."""
    end, cost, count = search(s, node, outward)
    update_prices(s, cost, count, outward)
    return augment(s, node, end, outward)


def set_initial_price(s: State, learner: int) -> None:
    """Set the price of a learner without pairs to the lowest at which no pair has a positive reduced value."""
    price = -s.bonus if s.minimum[learner] > 0 else 0
    for arc in range(s.start[learner - s.mentors], s.start[learner - s.mentors + 1]):
        price = max(price, s.value[arc] - s.price[s.arc_mentor[arc]])
    s.price[learner] = price


def set_initial_prices(s: State, learners: NDArray[np.int32]) -> None:
    """Set the initial prices of several learners."""
    for learner in learners:
        set_initial_price(s, learner)


def fill(s: State, learners: NDArray[np.int32]) -> None:
    """Fill the slots of learners without pairs, in the given order."""
    for learner in learners:
        set_initial_price(s, learner)
        for _ in range(s.slots[learner]):
            if not change(s, learner, True):  # noqa: FBT003  as above
                break
