"""A map of Europe with clusters at the capitals of their countries and arcs from teacher to learner.

The projection is equirectangular.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import cos, pi, sin
from typing import NamedTuple
from uuid import UUID

from services.console.api.models.members import Cluster
from services.console.view import formatting
from services.console.view.charts import land
from shared import wording
from shared.geography import CAPITALS

SCALE_X, SCALE_Y = 16.0, 24.0
"""Pixels of a degree: a degree of longitude is two thirds of one of latitude in the middle of Europe."""
WINDOW = (61.0, 34.0, -12.0, 36.0)
"""North, south, west and east of the smallest map, in degrees."""
MARGIN = 2.0
"""Degrees of the map around a cluster outside the window."""
SPREAD_RADIUS = 18.0
"""Pixels between the capital and each of several clusters of its country."""


class Dot(NamedTuple):
    """A cluster, by its number in the legend."""

    x: float
    y: float
    number: int
    name: str


class Arc(NamedTuple):
    """How often a cluster taught another: a path and its width in pixels."""

    path: str
    width: float
    title: str


class EuropeMap(NamedTuple):
    """The chart; `land` is a path."""

    id: str
    summary: str
    width: float
    height: float
    land: str
    arcs: list[Arc]
    dots: list[Dot]


def chart(id: str, clusters: Sequence[Cluster], taught: Sequence[tuple[UUID, UUID]]) -> EuropeMap | None:
    """The map of clusters that taught or learned; None if there are fewer than two with a known country."""
    involved = {id for pair in taught for id in pair}
    shown = [cluster for cluster in clusters if cluster.id in involved and cluster.country in CAPITALS]
    if len(shown) < 2:  # noqa: PLR2004  an arc has two ends
        return None
    north, south, west, east = _window(shown)
    width, height = (east - west) * SCALE_X, (north - south) * SCALE_Y
    points = _points(shown, north, west)
    counts = Counter(pair for pair in taught if pair[0] in points and pair[1] in points)
    names = {cluster.id: cluster.name for cluster in shown}
    arcs = [_arc(points, names, *pair, count) for pair, count in sorted(counts.items())]
    number = formatting.capitalized(wording.counted_in_words(len(shown), "cluster"))
    summary = f"{number} and {wording.counted_in_words(len(arcs), 'arc')}."
    dots = [Dot(*points[cluster.id], number, cluster.name) for number, cluster in enumerate(shown, 1)]
    coasts = land.path(lambda longitude, latitude: ((longitude - west) * SCALE_X, (north - latitude) * SCALE_Y))
    return EuropeMap(id, summary, round(width), round(height), coasts, arcs, dots)


def _window(shown: Sequence[Cluster]) -> tuple[float, float, float, float]:
    north, south, west, east = WINDOW
    for cluster in shown:
        latitude, longitude = CAPITALS[cluster.country]
        north, south = max(north, latitude + MARGIN), min(south, latitude - MARGIN)
        west, east = min(west, longitude - MARGIN), max(east, longitude + MARGIN)
    return north, south, west, east


def _points(shown: Sequence[Cluster], north: float, west: float) -> dict[UUID, tuple[float, float]]:
    by_country = defaultdict[str, list[UUID]](list)
    for cluster in shown:
        by_country[cluster.country].append(cluster.id)
    points = {}
    for country, ids in by_country.items():
        latitude, longitude = CAPITALS[country]
        x, y = (longitude - west) * SCALE_X, (north - latitude) * SCALE_Y
        for number, id in enumerate(ids):
            turn, far = 2 * pi * number / len(ids), SPREAD_RADIUS if len(ids) > 1 else 0.0
            points[id] = (round(x + far * cos(turn), 1), round(y + far * sin(turn), 1))
    return points


def _arc(
    points: dict[UUID, tuple[float, float]], names: dict[UUID, str], teacher: UUID, learner: UUID, count: int
) -> Arc:
    """Bent to its left, so that both directions between two clusters are visible."""
    (x1, y1), (x2, y2) = points[teacher], points[learner]
    bend_x, bend_y = (x1 + x2) / 2 + (y2 - y1) / 5, (y1 + y2) / 2 - (x2 - x1) / 5
    path = f"M{x1:g} {y1:g}Q{bend_x:.1f} {bend_y:.1f} {x2:g} {y2:g}"
    title = f"{names[teacher]} taught {names[learner]}: {wording.counted_in_words(count, 'line')}"
    return Arc(path, min(1.0 + count, 6.0), title)
