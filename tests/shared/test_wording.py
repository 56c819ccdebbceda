from datetime import date

import pytest

from shared import wording

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


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_a_list_ends_with_and(words: list[str], text: str) -> None:
    assert wording.listed(words) == text
    assert wording.listed(iter(words)) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 goals"), (1, "1 goal"), (3, "3 goals"), (21, "21 goals")])
def test_a_count_has_a_singular_and_a_plural(number: int, text: str) -> None:
    assert wording.counted(number, "goal") == text


def test_a_plural_may_be_given() -> None:
    assert wording.counted(2, "activity", "activities") == "2 activities"
    assert wording.counted(1, "activity", "activities") == "1 activity"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "no clusters"), (1, "one cluster"), (7, "seven clusters"), (12, "twelve clusters"), (13, "13 clusters")],
)
def test_small_numbers_are_words(number: int, text: str) -> None:
    assert wording.counted_in_words(number, "cluster") == text


@pytest.mark.parametrize(
    ("number", "digits", "text"), [(0.0, 0, "0"), (1234.56, 1, "1,234.6"), (71.3, 1, "71.3"), (1e6, 0, "1,000,000")]
)
def test_a_number_has_a_fixed_count_of_digits(number: float, digits: int, text: str) -> None:
    assert wording.decimal(number, digits) == text


def test_a_day_and_a_month_are_written_in_full() -> None:
    assert wording.day(date(2017, 2, 6)) == "6 February 2017"
    assert wording.month(date(2017, 2, 6)) == "February 2017"


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2017, 6, 28), date(2017, 6, 28), "28 June 2017"),
        (date(2017, 6, 28), date(2017, 6, 29), "28–29 June 2017"),
        (date(2017, 6, 28), date(2017, 7, 2), "28 June – 2 July 2017"),
        (date(2016, 11, 16), date(2018, 11, 15), "16 November 2016 – 15 November 2018"),
    ],
)
def test_a_period_repeats_only_what_differs(first: date, last: date, text: str) -> None:
    assert wording.period(first, last) == text


@pytest.mark.parametrize("code", COUNTRIES)
def test_a_country_has_its_name(code: str) -> None:
    assert wording.country(code) == COUNTRIES[code]


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_its_name(code: str) -> None:
    assert wording.language(code) == LANGUAGES[code]


def test_an_unknown_code_stays_as_it_is() -> None:
    assert wording.country("QZ") == "QZ"
    assert wording.language("xx") == "xx"
