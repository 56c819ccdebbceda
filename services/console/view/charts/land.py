"""The land of Europe, for maps.

`coasts.txt` has an outline on each line, as longitude and latitude in degrees to a tenth. It was made of the land of
Natural Earth 4.1 at 1:50 million, which is in the public domain: cut to 32° W to 52° E and 26° to 73° N, islands below
an eighth of a square degree left out, simplified to 0.07 degrees.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

Point = tuple[float, float]


def path(place: Callable[[float, float], Point]) -> str:
    """All outlines as an SVG path of whole pixels.

    Args:
        place: where a longitude and a latitude are on the map.
    """
    return "".join(_outline([place(*point) for point in outline]) for outline in _outlines())


def _outline(points: Sequence[Point]) -> str:
    whole = [(round(x), round(y)) for x, y in points]
    steps = (f"{x - from_x} {y - from_y}" for (from_x, from_y), (x, y) in pairwise(whole))
    return f"M{whole[0][0]} {whole[0][1]}l{' '.join(steps)}z"


@lru_cache(maxsize=1)
def _outlines() -> Sequence[Sequence[Point]]:
    lines = files("services.console.view.charts").joinpath("coasts.txt").read_text().splitlines()
    return [list(_points(line)) for line in lines]


def _points(line: str) -> Iterator[Point]:
    for point in line.split():
        longitude, latitude = point.split(",")
        yield float(longitude), float(latitude)
