from datetime import date

import pytest

from services.console.view import formatting
from shared import wording


def test_a_code_without_a_word_is_tidied() -> None:
    assert formatting.title("market-foresight") == "Market foresight"
    assert formatting.title("") == ""


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2017, 6, 28), date(2017, 6, 28), "28 June 2017"),
        (date(2017, 6, 28), date(2017, 6, 29), "28–29 June 2017"),
        (date(2017, 6, 28), date(2017, 7, 2), "28 June – 2 July 2017"),
        (date(2016, 11, 16), date(2018, 11, 15), "16 November 2016 – 15 November 2018"),
    ],
)
def test_a_period_repeats_only_what_it_must(first: date, last: date, expected: str) -> None:
    assert wording.period(first, last) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2006", "2006"), ("2006-07", "July 2006"), ("2006-07-20", "20 July 2006"), ("2006-13", "2006-13")],
)
def test_a_date_is_as_exact_as_it_is_known(text: str, expected: str) -> None:
    assert formatting.partial_date(text) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "no clusters"), (1, "one cluster"), (7, "seven clusters"), (15, "15 clusters")]
)
def test_small_numbers_are_words(number: int, expected: str) -> None:
    assert wording.counted_in_words(number, "cluster") == expected


def test_points_have_one_decimal() -> None:
    assert formatting.points(7130) == "71.3"
    assert formatting.points(0) == "0.0"


def test_a_list_ends_with_and() -> None:
    assert wording.listed([]) == ""
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
