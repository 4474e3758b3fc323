"""Lists of documents as pandas DataFrames. pandas is imported when one is asked for; nothing else needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NotRequired, cast, get_args, get_origin, get_type_hints, is_typeddict

from traceviz.documents import Edge, FailingHop, Node
from traceviz.errors import MissingPackage

if TYPE_CHECKING:
    import pandas

#: What the rows of each list are.
ROWS: dict[str, type] = {"edges": Edge, "nodes": Node, "failing_hops": FailingHop}
#: Fields that are instants in text.
_INSTANTS = ("first", "last")


def frame(rows: Sequence[Mapping[str, Any]], row_type: type) -> pandas.DataFrame:
    """A row each of these, in their order, with every column that `row_type` has, also where there is no row; of
    fields that may be left out those that a row has.

    Columns are named as in JSON, `client_ms.p95` for what is inside. Numbers, texts and truths have pandas' own types
    for which `<NA>` is a value: null never turns a count into a float. `first` and `last` are instants in UTC. Counts
    by key (`statuses`) and lists stay dictionaries and lists. Raises MissingPackage where there is no pandas.
    """
    try:
        import pandas
    except ImportError:
        raise MissingPackage("a DataFrame needs pandas, and it is not installed", "pip install pandas") from None
    hints = get_type_hints(row_type, include_extras=True)
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
    made: dict[str, pandas.Series[Any]] = {}
    for column, kind in _columns(row_type):
        if column in optional and not any(column in row for row in rows):
            continue
        values = [_value(row, column) for row in rows]
        if column in _INSTANTS:
            made[column] = pandas.Series(pandas.to_datetime(values, utc=True, format="ISO8601"))
        else:
            made[column] = pandas.Series(values, dtype=cast(Any, kind))
    return pandas.DataFrame(made)


def _columns(row_type: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every column of a TypedDict by its dotted name, and its type in pandas."""
    for key, hint in get_type_hints(row_type).items():
        known = [part for part in get_args(hint) if part is not NoneType] if NoneType in get_args(hint) else [hint]
        kind = known[0]
        if is_typeddict(kind):
            yield from _columns(cast(type, kind), f"{prefix}{key}.")
        elif kind is bool:
            yield f"{prefix}{key}", "boolean"
        elif kind is int:
            yield f"{prefix}{key}", "Int64"
        elif kind is float:
            yield f"{prefix}{key}", "Float64"
        elif kind is str or get_origin(kind) is Literal:
            # The other kind of text holds UTF-8 alone, and names of strangers can be what no UTF-8 holds.
            yield f"{prefix}{key}", "string[python]"
        else:
            yield f"{prefix}{key}", "object"


def _value(row: Mapping[str, Any], column: str) -> Any:
    value: Any = row
    for key in column.split("."):
        value = None if value is None else value.get(key)
    return value
