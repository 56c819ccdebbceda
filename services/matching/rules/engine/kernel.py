"""Shortest augmenting paths with kept prices, on flat arrays: one source, compiled where that pays.

Learners' places are filled one by one. Each new place looks for the cheapest way to an end; a cost is what a pair
is worth less than the prices of its two ends: to a mentor with a free place, or to a learner that gives up one of its
own, at last itself. Then the prices on the way change by what was found, so that no other plan of the learners so far
is better (the method of Edmonds and Karp, Tomizawa; Jonker and Volgenant for the assignment problem).

Nodes are the mentors, then the learners.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FAR = 2**62
OUT, DONE = -1, -2


class State(NamedTuple):
    """What the kernel works on.

    Attributes:
        mentors: how many nodes are mentors.
        bonus: what a pair that a minimum load needs counts beside its worth.
        arc_mentor: the mentor's node of each arc.
        arc_learner: the learner's node of each arc.
        worth: of each arc.
        start: where each learner's arcs begin, and where the last ones end.
        taken: whether each arc is in the plan.
        slot: where each taken arc stands in `held`.
        held: the taken arcs of each mentor, from its `first` on.
        first: where each mentor's part of `held` begins.
        places: of each node.
        least: of each node.
        load: of each node: how many pairs it has.
        price: of a place with each node.
        dist: how far each node is, in a search.
        via: the arc by which each node was reached.
        where: the place of each node in the heap, OUT or DONE.
        heap: nodes, the nearest first.
        seen: the nodes that a search has reached.
    """

    mentors: int
    bonus: int
    arc_mentor: NDArray[np.int32]
    arc_learner: NDArray[np.int32]
    worth: NDArray[np.int64]
    start: NDArray[np.int64]
    taken: NDArray[np.bool_]
    slot: NDArray[np.int32]
    held: NDArray[np.int32]
    first: NDArray[np.int64]
    places: NDArray[np.int32]
    least: NDArray[np.int32]
    load: NDArray[np.int32]
    price: NDArray[np.int64]
    dist: NDArray[np.int64]
    via: NDArray[np.int32]
    where: NDArray[np.int32]
    heap: NDArray[np.int32]
    seen: NDArray[np.int32]


def nearer(s: State, one: int, other: int) -> bool:
    """Which of two nodes comes first; equally far ones in their order, so that a plan depends on nothing else."""
    return bool(s.dist[one] < s.dist[other] or (s.dist[one] == s.dist[other] and one < other))


def rise(s: State, node: int, place: int) -> None:
    """Put a node into the heap at a place from which it can only go up."""
    while place > 0:
        above = (place - 1) >> 1
        other = s.heap[above]
        if not nearer(s, node, other):
            break
        s.heap[place] = other
        s.where[other] = place
        place = above
    s.heap[place] = node
    s.where[node] = place


def nearest(s: State, size: int) -> int:
    """Take the nearest node out of a heap of this size."""
    top, node, size, place = s.heap[0], s.heap[size - 1], size - 1, 0
    s.where[top] = DONE
    if size == 0:
        return top  # type: ignore[no-any-return]
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        other = s.heap[below]
        if below + 1 < size and nearer(s, s.heap[below + 1], other):
            below += 1
            other = s.heap[below]
        if not nearer(s, other, node):
            break
        s.heap[place] = other
        s.where[other] = place
        place = below
    s.heap[place] = node
    s.where[node] = place
    return top  # type: ignore[no-any-return]


def to_fill(s: State, mentor: int) -> int:
    """What it costs to end with one more pair of a mentor: FAR if it is full."""
    if s.load[mentor] >= s.places[mentor]:
        return FAR
    gain = s.bonus if s.load[mentor] < s.least[mentor] else 0
    return -gain - s.price[mentor]  # type: ignore[no-any-return]


def to_drop(s: State, learner: int, load: int) -> int:
    """What it costs to end with one pair less of a learner that has so many."""
    return s.price[learner] + (s.bonus if load <= s.least[learner] else 0)  # type: ignore[no-any-return]


def search(s: State, source: int) -> tuple[int, int, int]:
    """The cheapest way for one more place of a learner: its end, what it costs, and how many nodes were seen."""
    s.dist[source] = 0
    s.via[source] = OUT
    s.seen[0] = source
    s.heap[0] = source
    s.where[source] = 0
    seen, size = 1, 1
    end, best = source, to_drop(s, source, s.load[source] + 1)
    while size > 0 and s.dist[s.heap[0]] < best:
        node = nearest(s, size)
        size -= 1
        far = s.dist[node]
        is_mentor = node < s.mentors
        begin = s.first[node] if is_mentor else s.start[node - s.mentors]
        stop = begin + s.load[node] if is_mentor else s.start[node - s.mentors + 1]
        for place in range(begin, stop):
            arc = s.held[place] if is_mentor else place
            if not is_mentor and s.taken[arc]:
                continue
            over = s.worth[arc] - s.price[s.arc_mentor[arc]] - s.price[s.arc_learner[arc]]
            other = s.arc_learner[arc] if is_mentor else s.arc_mentor[arc]
            reached = far + over if is_mentor else far - over
            if reached >= best or s.where[other] == DONE or (s.where[other] != OUT and s.dist[other] <= reached):
                continue
            last = to_drop(s, other, s.load[other]) if is_mentor else to_fill(s, other)
            if s.where[other] == OUT:
                s.seen[seen] = other
                seen += 1
                place_in = size
                size += 1
            else:
                place_in = s.where[other]
            s.dist[other] = reached
            s.via[other] = arc
            rise(s, other, place_in)
            if reached + last < best:
                end, best = other, reached + last
    return end, best, seen


def settle(s: State, best: int, seen: int) -> None:
    """Change the prices of what was nearer than the end, and make ready for the next search."""
    for place in range(seen):
        node = s.seen[place]
        nearer_by = best - s.dist[node]
        if nearer_by > 0:
            if node < s.mentors:
                s.price[node] += nearer_by
            else:
                s.price[node] -= nearer_by
        s.where[node] = OUT


def augment(s: State, source: int, end: int) -> bool:
    """Change the plan along the way to its end; whether the source has a pair more."""
    if end == source:
        return False
    if end < s.mentors:
        mentor, hole = end, s.first[end] + s.load[end]
        s.load[end] += 1
    else:
        arc = s.via[end]
        mentor, hole = s.arc_mentor[arc], s.slot[arc]
        s.taken[arc] = False
        s.load[end] -= 1
    while True:
        arc = s.via[mentor]
        s.taken[arc] = True
        s.held[hole] = arc
        s.slot[arc] = hole
        learner = s.arc_learner[arc]
        if learner == source:
            s.load[source] += 1
            return True
        back = s.via[learner]
        s.taken[back] = False
        mentor, hole = s.arc_mentor[back], s.slot[back]


def begin_price(s: State, learner: int) -> None:
    """The lowest price at which no pair of a learner without pairs is worth more than its ends."""
    price = -s.bonus if s.least[learner] > 0 else 0
    for arc in range(s.start[learner - s.mentors], s.start[learner - s.mentors + 1]):
        price = max(price, s.worth[arc] - s.price[s.arc_mentor[arc]])
    s.price[learner] = price


def fill(s: State, learners: NDArray[np.int32]) -> None:
    """Fill the places of some learners that have none filled, in this order."""
    for learner in learners:
        begin_price(s, learner)
        for _ in range(s.places[learner]):
            end, best, seen = search(s, learner)
            settle(s, best, seen)
            if not augment(s, learner, end):
                break
