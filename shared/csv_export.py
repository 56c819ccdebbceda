"""CSV files: for programs with commas, for spreadsheets with a byte order mark and semicolons; no cell is a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets without it read UTF-8 as the code page of the system."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
# A spreadsheet may split at another separator than the file has, so a formula may begin after any of them.
_FORMULA = re.compile(r"(^|[,;\t\r\n])([ \"]*)(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")


def for_programs(rows: Iterable[Sequence[object]]) -> str:
    """The rows with commas."""
    return _write(rows, ",")


def for_spreadsheets(rows: Iterable[Sequence[object]]) -> str:
    """The rows as spreadsheets of European languages read them; they take a comma for a decimal separator."""
    return BYTE_ORDER_MARK + _write(rows, ";")


def _write(rows: Iterable[Sequence[object]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(
        [_cell(value) for value in row] for row in rows
    )
    return text.getvalue()


def _cell(value: object) -> str:
    """The value as text, with an apostrophe before each formula; numbers stay numbers."""
    text = "" if value is None else str(value)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1\2'", text)
