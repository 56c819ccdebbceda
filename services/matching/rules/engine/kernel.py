"""Shortest augmenting paths with kept prices, on flat arrays: one source, compiled where that pays.

Learners' places are filled one by one. Each new place looks for the cheapest way to an end; a cost is what a pair
is worth less than the prices of its two ends: to a mentor with a free place, or to a learner that gives up one of its
own, at last itself. Then the prices on the way change by what was found, so that no other plan of the learners so far
is better (the method of Edmonds and Karp, Tomizawa; Jonker and Volgenant for the assignment problem). The same search,
begun elsewhere or led the other way, repairs a plan after a change.

Nodes are the mentors, then the learners.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FAR = 2**62
UNREACHED, DONE = -1, -2


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
        by_mentor: the arcs in the order of mentors; needed inwards only.
        mentor_start: where each mentor's part of `by_mentor` begins, and where the last ends.
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
    by_mentor: NDArray[np.int32]
    mentor_start: NDArray[np.int64]
    places: NDArray[np.int32]
    least: NDArray[np.int32]
    load: NDArray[np.int32]
    price: NDArray[np.int64]
    dist: NDArray[np.int64]
    via: NDArray[np.int32]
    where: NDArray[np.int32]
    heap: NDArray[np.int32]
    seen: NDArray[np.int32]


def is_nearer(s: State, one: int, other: int) -> bool:
    """Which of two nodes comes first; equally far ones in their order, so that a plan depends on nothing else."""
    return bool(s.dist[one] < s.dist[other] or (s.dist[one] == s.dist[other] and one < other))


def sift_up(s: State, node: int, place: int) -> None:
    """Put a node into the heap at a place from which it can only go up."""
    while place > 0:
        above = (place - 1) >> 1
        other = s.heap[above]
        if not is_nearer(s, node, other):
            break
        s.heap[place] = other
        s.where[other] = place
        place = above
    s.heap[place] = node
    s.where[node] = place


def pop_nearest(s: State, size: int) -> int:
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
        if below + 1 < size and is_nearer(s, s.heap[below + 1], other):
            below += 1
            other = s.heap[below]
        if not is_nearer(s, other, node):
            break
        s.heap[place] = other
        s.where[other] = place
        place = below
    s.heap[place] = node
    s.where[node] = place
    return top  # type: ignore[no-any-return]


def gain_cost(s: State, node: int) -> int:
    """What it costs to end with one more pair of a node: FAR if it is full."""
    if s.load[node] >= s.places[node]:
        return FAR
    gain = s.bonus if s.load[node] < s.least[node] else 0
    return -gain - s.price[node]  # type: ignore[no-any-return]


def loss_cost(s: State, node: int, load: int) -> int:
    """What it costs to end with one pair less of a node that has so many."""
    return s.price[node] + (s.bonus if load <= s.least[node] else 0)  # type: ignore[no-any-return]


def search(s: State, source: int, out: bool) -> tuple[int, int, int]:  # noqa: FBT001  numba takes no names
    """The cheapest way for a change at a node: its end, what it costs, and how many nodes were seen.

    Outwards a learner gets a pair or a mentor gives one up, and others give way; inwards a mentor gets a pair or a
    learner gives one up, and others take their place. A node with more pairs than places has to change, any other may
    stay as it is.
    """
    s.dist[source] = 0
    s.via[source] = UNREACHED
    s.seen[0] = s.heap[0] = source
    s.where[source] = 0
    seen, size = 1, 1
    end, best = adjacent_end(s, source, out)
    while size > 0 and s.dist[s.heap[0]] < best:
        node, size = pop_nearest(s, size), size - 1
        far = s.dist[node]
        adds = (node >= s.mentors) == out
        begin, stop = arc_range(s, node, out)
        for place in range(begin, stop):
            arc = arc_at(s, node, place, out)
            if s.taken[arc] == adds:
                continue
            over = s.worth[arc] - s.price[s.arc_mentor[arc]] - s.price[s.arc_learner[arc]]
            other = s.arc_learner[arc] if node < s.mentors else s.arc_mentor[arc]
            reached = far - over if adds else far + over
            if reached >= best or s.where[other] == DONE or (s.where[other] != UNREACHED and s.dist[other] <= reached):
                continue
            last = gain_cost(s, other) if adds else loss_cost(s, other, s.load[other])
            place_in = s.where[other]
            if place_in == UNREACHED:
                s.seen[seen] = other
                seen += 1
                place_in = size
                size += 1
            s.dist[other] = reached
            s.via[other] = arc
            sift_up(s, other, place_in)
            if reached + last < best:
                end, best = other, reached + last
    return end, best, seen


def adjacent_end(s: State, source: int, out: bool) -> tuple[int, int]:  # noqa: FBT001  numba takes no names
    """The best end beside the source or the source itself, and what it costs: what is further need not be searched."""
    end, best = source, FAR
    if s.load[source] < s.places[source]:
        best = loss_cost(s, source, s.load[source] + 1)
    if (source >= s.mentors) == out:
        begin, stop = arc_range(s, source, out)
        for place in range(begin, stop):
            arc = arc_at(s, source, place, out)
            other = s.arc_mentor[arc] if out else s.arc_learner[arc]
            if s.taken[arc] or s.load[other] >= s.places[other]:
                continue
            over = s.worth[arc] - s.price[other] - s.price[source]
            if gain_cost(s, other) - over < best:
                end, best = other, gain_cost(s, other) - over
                s.via[other] = arc
    return end, best


def arc_range(s: State, node: int, out: bool) -> tuple[int, int]:  # noqa: FBT001  numba takes no names
    """Where the arcs of a node stand that a search may follow."""
    if node >= s.mentors:
        return s.start[node - s.mentors], s.start[node - s.mentors + 1]
    if out:
        return s.first[node], s.first[node] + s.load[node]
    return s.mentor_start[node], s.mentor_start[node + 1]


def arc_at(s: State, node: int, place: int, out: bool) -> int:  # noqa: FBT001  numba takes no names
    """The arc that stands there."""
    if node >= s.mentors:
        return place
    return s.held[place] if out else s.by_mentor[place]  # type: ignore[no-any-return]


def update_prices(s: State, best: int, seen: int, out: bool) -> None:  # noqa: FBT001  numba takes no names
    """Change the prices of what was nearer than the end, and make ready for the next search."""
    for place in range(seen):
        node = s.seen[place]
        nearer_by = best - s.dist[node]
        if nearer_by > 0:
            if (node < s.mentors) == out:
                s.price[node] += nearer_by
            else:
                s.price[node] -= nearer_by
        s.where[node] = UNREACHED


def augment(s: State, source: int, end: int, out: bool) -> bool:  # noqa: FBT001  numba takes no names
    """Change the plan along the way to its end; whether anything changes."""
    for adding in (False, True):  # room is made first
        node, adds = end, (end < s.mentors) == out
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
    place = s.first[mentor] + s.load[mentor]
    s.held[place] = arc
    s.slot[arc] = place
    s.taken[arc] = True
    s.load[mentor] += 1
    s.load[s.arc_learner[arc]] += 1


def take_many(s: State, arcs: NDArray[np.int32]) -> None:
    """Put arcs into the plan."""
    for arc in arcs:
        take(s, arc)


def release(s: State, arc: int) -> None:
    """Put an arc out of the plan."""
    mentor = s.arc_mentor[arc]
    s.load[mentor] -= 1
    s.load[s.arc_learner[arc]] -= 1
    s.taken[arc] = False
    last = s.held[s.first[mentor] + s.load[mentor]]
    s.held[s.slot[arc]] = last
    s.slot[last] = s.slot[arc]


def change(s: State, node: int, out: bool) -> bool:  # noqa: FBT001  numba takes no names
    """Change the plan at a node by the cheapest way; whether anything changes."""
    end, best, seen = search(s, node, out)
    update_prices(s, best, seen, out)
    return augment(s, node, end, out)


def initial_price(s: State, learner: int) -> None:
    """The lowest price at which no pair of a learner without pairs is worth more than its ends."""
    price = -s.bonus if s.least[learner] > 0 else 0
    for arc in range(s.start[learner - s.mentors], s.start[learner - s.mentors + 1]):
        price = max(price, s.worth[arc] - s.price[s.arc_mentor[arc]])
    s.price[learner] = price


def initial_prices(s: State, learners: NDArray[np.int32]) -> None:
    """The same for many."""
    for learner in learners:
        initial_price(s, learner)


def fill(s: State, learners: NDArray[np.int32]) -> None:
    """Fill the places of some learners that have none filled, in this order."""
    for learner in learners:
        initial_price(s, learner)
        for _ in range(s.places[learner]):
            if not change(s, learner, True):  # noqa: FBT003  as above
                break
