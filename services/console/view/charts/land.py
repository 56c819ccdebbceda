"""The coastlines of Europe, for maps.

Each line of `coasts.txt` is an outline of longitudes and latitudes in tenths of degrees. Source: the land polygons of
Natural Earth 4.1 at 1:50 million (public domain), cropped to 32° W to 52° E and 26° to 73° N, without islands below
an eighth of a square degree, simplified to 0.07 degrees.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

Point = tuple[float, float]


def path(project: Callable[[float, float], Point]) -> str:
    """All outlines as an SVG path with integer coordinates.

    Args:
        project: maps longitude and latitude to pixels.
    """
    return "".join(_outline([project(*point) for point in outline]) for outline in _outlines())


def _outline(points: Sequence[Point]) -> str:
    pixels = [(round(x), round(y)) for x, y in points]
    steps = (f"{x - from_x} {y - from_y}" for (from_x, from_y), (x, y) in pairwise(pixels))
    return f"M{pixels[0][0]} {pixels[0][1]}l{' '.join(steps)}z"


@lru_cache(maxsize=1)
def _outlines() -> Sequence[Sequence[Point]]:
    lines = files("services.console.view.charts").joinpath("coasts.txt").read_text().splitlines()
    return [list(_points(line)) for line in lines]


def _points(line: str) -> Iterator[Point]:
    for point in line.split():
        longitude, latitude = point.split(",")
        yield float(longitude), float(latitude)
