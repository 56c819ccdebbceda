"""A plan as a bipartite graph: mentors on the left, learners on the right, a line for each pair."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from services.console.api.models.matching import PlannedPair

ROW_HEIGHT = 34
"""Pixels from one cluster to the next."""
WIDTH = 720
LEFT, RIGHT = 250, 470
"""x of the ends of the lines."""
MAX_NAME_LENGTH = 27
"""Characters; longer names are truncated."""


class Node(NamedTuple):
    """A cluster on one side."""

    y: int
    name: str


class Edge(NamedTuple):
    """A pair: its path, its status (kept, proposed or new) and its tooltip."""

    path: str
    standing: str
    title: str


class BipartiteChart(NamedTuple):
    """The chart."""

    id: str
    summary: str
    width: int
    height: int
    mentors: list[Node]
    learners: list[Node]
    edges: list[Edge]


def chart(id: str, pairs: Sequence[PlannedPair], cluster_name: Callable[[UUID], str]) -> BipartiteChart:
    """The chart of some pairs. Learners are sorted by their mentors, so that few lines cross."""
    mentors = sorted({pair.mentor_id for pair in pairs}, key=cluster_name)
    mentor_rows = {id: row for row, id in enumerate(mentors)}
    first_mentor_row: dict[UUID, int] = {}
    for pair in pairs:
        row = mentor_rows[pair.mentor_id]
        first_mentor_row[pair.learner_id] = min(first_mentor_row.get(pair.learner_id, row), row)
    learners = sorted(first_mentor_row, key=lambda id: (first_mentor_row[id], cluster_name(id)))
    learner_rows = {id: row for row, id in enumerate(learners)}
    edges = [_edge(pair, mentor_rows[pair.mentor_id], learner_rows[pair.learner_id], cluster_name) for pair in pairs]
    return BipartiteChart(
        id,
        f"{len(mentors)} mentors, {len(learners)} learners and {len(pairs)} pairs.",
        WIDTH,
        max(len(mentors), len(learners)) * ROW_HEIGHT,
        [_node(row, cluster_name(id)) for row, id in enumerate(mentors)],
        [_node(row, cluster_name(id)) for row, id in enumerate(learners)],
        edges,
    )


def _node(row: int, name: str) -> Node:
    return Node(_middle(row), name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1].rstrip()}…")


def _middle(row: int) -> int:
    return row * ROW_HEIGHT + ROW_HEIGHT // 2


def _edge(pair: PlannedPair, mentor: int, learner: int, cluster_name: Callable[[UUID], str]) -> Edge:
    start, end, bend = _middle(mentor), _middle(learner), (LEFT + RIGHT) // 2
    path = f"M{LEFT} {start}C{bend} {start} {bend} {end} {RIGHT} {end}"
    sentence = f"{cluster_name(pair.mentor_id)} teaches {cluster_name(pair.learner_id)}"
    return Edge(path, pair.standing, f"{sentence}: {pair.score / 100:.1f} points, {pair.standing}")
