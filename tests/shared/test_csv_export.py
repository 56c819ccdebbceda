"""No reading of a CSV file has a formula in a cell."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

import pytest

from shared.csv_export import BYTE_ORDER_MARK, for_programs, for_spreadsheets

Write = Callable[[Iterable[Sequence[object]]], str]
FORMULAS = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
NAMES = [
    "=1+1",
    "Textil;=1+1",
    "Textil,=1+1",
    "Textil; =1+1",
    "Textil\t@SUM(A1)",
    'Textil;"=1+1',
    "\uff1d1+1",
    "Textil;\uff0b1",
    "-1+2",
    "+A1",
    "\t=1",
]


@pytest.mark.parametrize("write", [for_programs, for_spreadsheets])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_a_formula_by_any_separator(write: Write, delimiter: str, name: str) -> None:
    text = write([["by", name, "strategy"]]).removeprefix(BYTE_ORDER_MARK)
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.lstrip(' "').startswith(tuple(FORMULAS))]


def test_other_text_and_numbers_are_as_they_are() -> None:
    row = ["Székesfehérvár; north", "D.A.Re.", "a-b=c", "-1.50", "+2", 3, None, 'with "quotes"']
    (read,) = csv.reader(io.StringIO(for_programs([row])))
    assert read == ["Székesfehérvár; north", "D.A.Re.", "a-b=c", "-1.50", "+2", "3", "", 'with "quotes"']


def test_spreadsheets_get_a_mark_and_semicolons() -> None:
    assert for_spreadsheets([["a", "é"], [1, 2]]) == '\ufeff"a";"é"\r\n"1";"2"\r\n'
    assert for_programs([["a", "é"], [1, 2]]) == '"a","é"\r\n"1","2"\r\n'


def test_a_file_for_programs_becomes_one_for_spreadsheets_with_the_same_cells() -> None:
    (read,) = csv.reader(io.StringIO(for_programs([NAMES])))
    again = for_spreadsheets([read]).removeprefix(BYTE_ORDER_MARK)
    assert list(csv.reader(io.StringIO(again), delimiter=";")) == [read]
