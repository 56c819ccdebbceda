"""Keyset pagination in SQL. The cursors of the API are in `shared.web.paging`."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, cast, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


def page(
    query: Query,
    key: Sequence[InstrumentedAttribute[Any]],
    after: Sequence[object] | None,
    limit: int,
    *,
    descending: bool = False,
) -> Query:
    """Sort a query by `key` and select at most `limit` rows after the row with the key `after` (None: from the start).

    Args:
        query: without ORDER BY.
        key: columns that are unique together and never NULL.
        after: one value for each column of `key`, dates as ISO 8601.
        limit: for a page of the API one more than the page size, see `Cursor.page`.
        descending: sort by all columns of `key` in descending order.
    """
    query = query.order_by(*(column.desc() if descending else column for column in key)).limit(limit)
    if after is None:
        return query
    columns = tuple_(*key)
    values = tuple_(*(cast(literal(value), column.type) for value, column in zip(after, key, strict=True)))
    return query.where(columns < values if descending else columns > values)
