"""Lists, counts, numbers, dates, countries and languages in words. The data are those of Babel (Unicode CLDR)."""

from collections.abc import Iterable
from datetime import date

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

ENGLISH = Locale("en", "GB")
_PLURAL_FORM = ENGLISH.plural_form

_DIFFERENT_NAMES = {"BA": "Bosnia and Herzegovina", "NL": "the Netherlands"}
"""Countries as they are written inside a sentence."""
_SMALL_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
"""Babel spells no numbers."""


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    return format_list(list(words), locale=ENGLISH)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number of things: `1 goal`, `3 goals`. The plural takes an s if none is given."""
    return f"{number} {_form(number, singular, plural)}"


def counted_in_words(number: int, singular: str, plural: str | None = None) -> str:
    """As `counted`, with numbers up to twelve as words: `no clusters`, `one cluster`, `15 clusters`."""
    figure = _SMALL_NUMBERS[number] if 0 <= number < len(_SMALL_NUMBERS) else str(number)
    return f"{figure} {_form(number, singular, plural)}"


def _form(number: int, singular: str, plural: str | None) -> str:
    return singular if _PLURAL_FORM(number) == "one" else plural or f"{singular}s"


def decimal(number: float, digits: int = 0) -> str:
    """A number with a fixed count of decimal digits: `1,234.5`."""
    return format_decimal(number, format="#,##0" + ("." + digits * "0" if digits else ""), locale=ENGLISH)


def day(on: date) -> str:
    """`28 June 2017`."""
    return format_date(on, "d MMMM y", locale=ENGLISH)


def month(on: date) -> str:
    """`June 2017`."""
    return format_date(on, "MMMM y", locale=ENGLISH)


def period(first: date, last: date) -> str:
    """`28–29 June 2017`; month and year are repeated only where they differ."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    start = format_date(first, "d MMMM", locale=ENGLISH) if first.year == last.year else day(first)
    return f"{start} – {day(last)}"


def country(code: str) -> str:
    """The name of an ISO 3166-1 alpha-2 code; an unknown code as it is."""
    return _DIFFERENT_NAMES.get(code) or ENGLISH.territories.get(code, code)


def language(code: str) -> str:
    """The name of an ISO 639-1 code; an unknown code as it is."""
    return str(ENGLISH.languages.get(code, code))
