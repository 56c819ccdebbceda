"""A plan as a picture: mentors on the left, learners on the right, a line for each pair."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from services.console.api.plan_models import PlannedPair

ROW = 34
"""Pixels from one cluster to the next."""
WIDTH = 720
LEFT, RIGHT = 250, 470
"""Where lines begin and end."""
LETTERS = 30
"""Of a name that are shown."""


class Node(NamedTuple):
    """A cluster on one side."""

    y: int
    name: str


class Edge(NamedTuple):
    """A pair: a path, what it is (kept, proposed or new), and what it says."""

    path: str
    standing: str
    title: str


class Picture(NamedTuple):
    """The whole plan."""

    id: str
    summary: str
    width: int
    height: int
    mentors: list[Node]
    learners: list[Node]
    edges: list[Edge]


def chart(id: str, pairs: Sequence[PlannedPair], name: Callable[[UUID], str]) -> Picture:
    """The picture of a plan's pairs. Learners stand in the order of their mentors, so that few lines cross."""
    mentors = sorted({pair.mentor_id for pair in pairs}, key=name)
    place = {one: number for number, one in enumerate(mentors)}
    least: dict[UUID, int] = {}
    for pair in pairs:
        least[pair.learner_id] = min(least.get(pair.learner_id, len(mentors)), place[pair.mentor_id])
    learners = sorted(least, key=lambda one: (least[one], name(one)))
    place_of = {one: number for number, one in enumerate(learners)}
    edges = [_edge(pair, place[pair.mentor_id], place_of[pair.learner_id], name) for pair in pairs]
    return Picture(
        id,
        f"{len(mentors)} mentors, {len(learners)} learners and {len(pairs)} pairs.",
        WIDTH,
        max(len(mentors), len(learners)) * ROW,
        [_node(number, name(one)) for number, one in enumerate(mentors)],
        [_node(number, name(one)) for number, one in enumerate(learners)],
        edges,
    )


def _node(number: int, name: str) -> Node:
    return Node(_middle(number), name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…")


def _middle(number: int) -> int:
    return number * ROW + ROW // 2


def _edge(pair: PlannedPair, mentor: int, learner: int, name: Callable[[UUID], str]) -> Edge:
    start, end, bend = _middle(mentor), _middle(learner), (LEFT + RIGHT) // 2
    path = f"M{LEFT} {start}C{bend} {start} {bend} {end} {RIGHT} {end}"
    title = f"{name(pair.mentor_id)} teaches {name(pair.learner_id)}: {pair.score / 100:.1f} points, {pair.standing}"
    return Edge(path, pair.standing, title)
