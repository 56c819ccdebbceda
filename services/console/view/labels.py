"""Codes in plain words, and dates and points as people write them. A code without a word is shown as it is, tidied."""

from datetime import date, datetime

COUNTRIES = {
    "AL": "Albania", "AM": "Armenia", "AT": "Austria", "BA": "Bosnia and Herzegovina", "BE": "Belgium",
    "BG": "Bulgaria", "CY": "Cyprus", "CZ": "Czechia", "DE": "Germany", "DK": "Denmark", "EE": "Estonia", "ES": "Spain",
    "FI": "Finland", "FR": "France", "GR": "Greece", "HR": "Croatia", "HU": "Hungary", "IE": "Ireland", "IS": "Iceland",
    "IT": "Italy", "LT": "Lithuania", "LU": "Luxembourg", "LV": "Latvia", "MD": "Moldova", "ME": "Montenegro",
    "MK": "North Macedonia", "MT": "Malta", "NL": "the Netherlands", "NO": "Norway", "PL": "Poland", "PT": "Portugal",
    "RO": "Romania", "RS": "Serbia", "SE": "Sweden", "SI": "Slovenia", "SK": "Slovakia", "TR": "Türkiye",
    "UA": "Ukraine", "XK": "Kosovo",
}  # fmt: skip
LANGUAGES = {
    "bg": "Bulgarian", "bs": "Bosnian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French", "ga": "Irish", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "is": "Icelandic", "it": "Italian", "lb": "Luxembourgish", "lt": "Lithuanian",
    "lv": "Latvian", "mk": "Macedonian", "mt": "Maltese", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian",
    "sr": "Serbian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian",
}  # fmt: skip
ECOSYSTEMS = {
    "aerospace-defence": "Aerospace and defence",
    "agri-food": "Agri-food",
    "construction": "Construction",
    "cultural-creative": "Cultural and creative",
    "digital": "Digital",
    "electronics": "Electronics",
    "energy-intensive": "Energy-intensive industries",
    "energy-renewables": "Energy and renewables",
    "health": "Health",
    "mobility-transport-automotive": "Mobility and transport",
    "proximity-social-economy": "Proximity and social economy",
    "retail": "Retail",
    "textiles": "Textiles",
    "tourism": "Tourism",
}
LABELS = {"none": "No label", "bronze": "Bronze label", "silver": "Silver label", "gold": "Gold label"}
KINDS = {"expert": "Expert assessment", "peer": "Peer assessment", "self": "Self-assessment"}
PRIORITIES = {1: "would be nice", 2: "useful", 3: "important", 4: "very important", 5: "vital"}
URGENCIES = {1: "some day", 2: "this year", 3: "within months", 4: "soon", 5: "at once"}
TERMS = {
    "knowledge": "Knowledge to gain",
    "requests": "Requests it answers",
    "ecosystems": "Same ecosystem",
    "cross_border": "Across a border",
    "value_chain": "Value chain",
    "languages": "Common languages",
    "record": "The mentor’s record",
    "reciprocity": "Giving and taking",
    "novelty": "New to each other",
    "travel": "Distance",
}
ACTIVITY_KINDS = {
    "joint_training": "Joint training",
    "study_visit": "Study visit",
    "peer_review": "Peer review",
    "matchmaking": "Matchmaking",
}
ACTIVITY_STATES = {"draft": "Draft", "published": "Open for registration", "completed": "Completed"}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def tidy(code: str) -> str:
    """`market-foresight` as `Market foresight`."""
    words = code.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`one cluster`, `seven clusters`, `15 clusters`, `no clusters`."""
    figure = _NUMBERS[number] if 0 <= number < len(_NUMBERS) else str(number)
    return f"{figure} {one if number == 1 else many or f'{one}s'}"


def opening(text: str) -> str:
    """The text as a sentence begins: its first letter a capital."""
    return text[:1].upper() + text[1:]


def points(hundredths: int) -> str:
    """Hundredths of a point as points: `71.3`."""
    return f"{hundredths / 100:.1f}"


def day(when: date) -> str:
    """`28 June 2017`."""
    return f"{when.day} {when:%B %Y}"


def days(first: date, last: date) -> str:
    """`28–29 June 2017`, with as much repeated as is needed."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} – {day(last)}"
    return f"{day(first)} – {day(last)}"


def moment(when: datetime) -> str:
    """`28 June 2017, 09:30`."""
    return f"{day(when)}, {when:%H:%M}"


def partial_date(text: str) -> str:
    """A year, a month or a day as `2006`, `July 2006` or `20 July 2006`."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return text
    try:
        when = date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)  # noqa: PLR2004  year, month, day
    except ValueError:
        return text
    return day(when) if len(parts) > 2 else f"{when:%B %Y}"  # noqa: PLR2004  as above
