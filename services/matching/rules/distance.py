"""How far two countries are from each other: the great circle between their capitals, in kilometres."""

from functools import cache
from math import acos, cos, radians, sin

EARTH = 6371.0088
"""Mean radius in kilometres (International Union of Geodesy and Geophysics)."""

CAPITALS = {
    "AL": (41.33, 19.82), "AM": (40.18, 44.51), "AT": (48.21, 16.37), "BA": (43.86, 18.41), "BE": (50.85, 4.35),
    "BG": (42.70, 23.32), "CY": (35.17, 33.36), "CZ": (50.08, 14.44), "DE": (52.52, 13.40), "DK": (55.68, 12.57),
    "EE": (59.44, 24.75), "ES": (40.42, -3.70), "FI": (60.17, 24.94), "FR": (48.86, 2.35), "GR": (37.98, 23.73),
    "HR": (45.81, 15.98), "HU": (47.50, 19.04), "IE": (53.35, -6.26), "IS": (64.15, -21.94), "IT": (41.90, 12.50),
    "LT": (54.69, 25.28), "LU": (49.61, 6.13), "LV": (56.95, 24.11), "MD": (47.01, 28.86), "ME": (42.44, 19.26),
    "MK": (42.00, 21.43), "MT": (35.90, 14.51), "NL": (52.37, 4.90), "NO": (59.91, 10.75), "PL": (52.23, 21.01),
    "PT": (38.72, -9.14), "RO": (44.43, 26.10), "RS": (44.79, 20.45), "SE": (59.33, 18.07), "SI": (46.06, 14.51),
    "SK": (48.15, 17.11), "TR": (39.93, 32.86), "UA": (50.45, 30.52), "XK": (42.66, 21.17),
}  # fmt: skip
"""Latitude and longitude in degrees, to a hundredth: about a kilometre."""


@cache
def kilometres(one: str, other: str) -> int | None:
    """Between two countries (ISO 3166-1 alpha-2); None if the capital of one is not known here."""
    if one not in CAPITALS or other not in CAPITALS:
        return None
    if one == other:
        return 0
    (lat, lon), (lat2, lon2) = (map(radians, CAPITALS[country]) for country in (one, other))
    return round(EARTH * acos(sin(lat) * sin(lat2) + cos(lat) * cos(lat2) * cos(lon - lon2)))
