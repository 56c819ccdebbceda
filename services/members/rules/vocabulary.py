"""The codes that members accepts for countries, languages, ecosystems, stages, labels and kinds of assessment."""

from enum import StrEnum
from typing import Literal

# The European Union and the countries that took part in COSME.
Country = Literal[
    "AL", "AM", "AT", "BA", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LT", "LU", "LV", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "TR", "UA",
    "XK",
]  # fmt: skip
Language = Literal[
    "bg", "bs", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "hy", "is", "it", "lb", "lt",
    "lv", "mk", "mt", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "tr", "uk",
]  # fmt: skip


class Ecosystem(StrEnum):
    """The Commission's fourteen industrial ecosystems."""

    aerospace = "aerospace-defence"
    agri_food = "agri-food"
    construction = "construction"
    cultural = "cultural-creative"
    digital = "digital"
    electronics = "electronics"
    energy_intensive = "energy-intensive"
    energy_renewables = "energy-renewables"
    health = "health"
    mobility = "mobility-transport-automotive"
    proximity = "proximity-social-economy"
    retail = "retail"
    textiles = "textiles"
    tourism = "tourism"


class Stage(StrEnum):
    """Stages of a value chain, from first to last."""

    research = "research"
    inputs = "inputs"
    production = "production"
    processing = "processing"
    logistics = "logistics"
    sales = "sales"
    services = "services"


class Label(StrEnum):
    """Labels for cluster excellence."""

    none = "none"
    bronze = "bronze"
    silver = "silver"
    gold = "gold"


class AssessmentKind(StrEnum):
    """Who assessed: an expert's scores count before a peer's, and a peer's before the cluster's own."""

    expert = "expert"
    peer = "peer"
    own = "self"
