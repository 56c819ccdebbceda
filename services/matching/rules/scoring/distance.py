"""How far two countries are from each other: the great circle between their capitals, in kilometres."""

from functools import cache
from math import acos, cos, radians, sin

from shared.geography import CAPITALS

EARTH_RADIUS_KM = 6371.0088
"""Mean radius in kilometres (International Union of Geodesy and Geophysics)."""


@cache
def capital_distance_km(one: str, other: str) -> int | None:
    """Between two countries (ISO 3166-1 alpha-2); None if the capital of one is not known here."""
    if one not in CAPITALS or other not in CAPITALS:
        return None
    if one == other:
        return 0
    (lat, lon), (lat2, lon2) = (map(radians, CAPITALS[country]) for country in (one, other))
    return round(EARTH_RADIUS_KM * acos(sin(lat) * sin(lat2) + cos(lat) * cos(lat2) * cos(lon - lon2)))
