"""Who taught whom on a map of Europe: clusters at the capitals of their countries, arcs from teacher to learner.

Places are equirectangular: a degree is as long everywhere.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import cos, pi, sin
from typing import NamedTuple
from uuid import UUID

from services.console.api.models import Cluster
from services.console.view import labels
from services.console.view.charts import land
from shared.geography import CAPITALS

SCALE_X, SCALE_Y = 16.0, 24.0
"""Pixels of a degree: a degree of longitude is two thirds of one of latitude in the middle of Europe."""
WINDOW = (61.0, 34.0, -12.0, 36.0)
"""North, south, west and east of what is shown in any case, in degrees."""
MARGIN = 2.0
"""Degrees around a cluster that lies outside of it."""
APART = 18.0
"""Pixels by which clusters of one country are moved from its capital."""


class Dot(NamedTuple):
    """A cluster, by its number in the legend."""

    x: float
    y: float
    number: int
    name: str


class Arc(NamedTuple):
    """What one taught another: a path, and how broad it is."""

    path: str
    width: float
    title: str


class Map(NamedTuple):
    """The chart; `land` is a path."""

    id: str
    summary: str
    width: float
    height: float
    land: str
    arcs: list[Arc]
    dots: list[Dot]


def chart(id: str, clusters: Sequence[Cluster], taught: Sequence[tuple[UUID, UUID]]) -> Map | None:
    """The map of clusters that taught or learned; None if there are fewer than two with a known country."""
    involved = {id for pair in taught for id in pair}
    shown = [one for one in clusters if one.id in involved and one.country in CAPITALS]
    if len(shown) < 2:  # noqa: PLR2004  nobody to draw an arc to
        return None
    north, south, west, east = _window(shown)
    width, height = (east - west) * SCALE_X, (north - south) * SCALE_Y
    places = _places(shown, north, west)
    counts = Counter(pair for pair in taught if pair[0] in places and pair[1] in places)
    names = {one.id: one.name for one in shown}
    arcs = [_arc(places, names, *pair, count) for pair, count in sorted(counts.items())]
    summary = f"{labels.opening(labels.counted(len(shown), 'cluster'))} and {labels.counted(len(arcs), 'arc')}."
    dots = [Dot(*places[one.id], number, one.name) for number, one in enumerate(shown, 1)]
    coasts = land.path(lambda longitude, latitude: ((longitude - west) * SCALE_X, (north - latitude) * SCALE_Y))
    return Map(id, summary, round(width), round(height), coasts, arcs, dots)


def _window(shown: Sequence[Cluster]) -> tuple[float, float, float, float]:
    north, south, west, east = WINDOW
    for one in shown:
        latitude, longitude = CAPITALS[one.country]
        north, south = max(north, latitude + MARGIN), min(south, latitude - MARGIN)
        west, east = min(west, longitude - MARGIN), max(east, longitude + MARGIN)
    return north, south, west, east


def _places(shown: Sequence[Cluster], north: float, west: float) -> dict[UUID, tuple[float, float]]:
    by_country = defaultdict[str, list[UUID]](list)
    for one in shown:
        by_country[one.country].append(one.id)
    places = {}
    for country, ids in by_country.items():
        latitude, longitude = CAPITALS[country]
        x, y = (longitude - west) * SCALE_X, (north - latitude) * SCALE_Y
        for number, id in enumerate(ids):
            turn, far = 2 * pi * number / len(ids), APART if len(ids) > 1 else 0.0
            places[id] = (round(x + far * cos(turn), 1), round(y + far * sin(turn), 1))
    return places


def _arc(
    places: dict[UUID, tuple[float, float]], names: dict[UUID, str], teacher: UUID, learner: UUID, count: int
) -> Arc:
    """Bent to the left of its way, so that there and back are two arcs."""
    (x1, y1), (x2, y2) = places[teacher], places[learner]
    bend_x, bend_y = (x1 + x2) / 2 + (y2 - y1) / 5, (y1 + y2) / 2 - (x2 - x1) / 5
    path = f"M{x1:g} {y1:g}Q{bend_x:.1f} {bend_y:.1f} {x2:g} {y2:g}"
    title = f"{names[teacher]} taught {names[learner]}: {labels.counted(count, 'line')}"
    return Arc(path, min(1.0 + count, 6.0), title)
