"""Typed access to frames: rows, columns and groups, whose types pandas leaves open."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.runs.record import Array

Row = TypeVar("Row", bound=NamedTuple)


def only(frame: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    """Return the rows of a table that have a value, in order.

    Example:
        >>> import pandas as pd
        >>> from jdbench.analysis.frames import only
        >>> only(pd.DataFrame({"a": [1, 2, 1], "b": [3, 4, 5]}), "a", 1)["b"].tolist()
        [3, 5]
    """
    return cast("pd.DataFrame", frame[frame[column] == value])


def where(frame: pd.DataFrame, chosen: pd.Series | npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows of a table for which something holds, in order."""
    return cast("pd.DataFrame", frame[chosen])


def parts(frame: pd.DataFrame, column: str, *, sort: bool = True) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of a table by what stands in a column of names, sorted by it or as it comes.

    Yields:
        The name and its rows.

    Example:
        >>> import pandas as pd
        >>> from jdbench.analysis.frames import parts
        >>> frame = pd.DataFrame({"a": ["y", "x", "y"], "b": [3, 4, 5]})
        >>> {name: part["b"].tolist() for name, part in parts(frame, "a")}
        {'x': [4], 'y': [3, 5]}
    """
    for name, part in frame.groupby(column, sort=sort):
        yield str(name), part


def grouped(frame: pd.DataFrame, by: Sequence[str], how: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each value of some columns, with what pandas' aggregations, by name, make of others.

    Example:
        >>> import pandas as pd
        >>> from jdbench.analysis.frames import grouped
        >>> frame = pd.DataFrame({"a": ["y", "x", "y"], "b": [3, 4, 5]})
        >>> grouped(frame, ["a"], {"b": "max"}).to_dict("list")
        {'a': ['x', 'y'], 'b': [4, 5]}
    """
    keys = [str(name) for name in by]
    return cast("pd.DataFrame", frame.groupby(keys)[[*how]].agg(dict(how))).reset_index()


def rows(frame: pd.DataFrame, kind: type[Row]) -> list[Row]:
    """Return the rows of a table as tuples whose fields are columns, with Python's values.

    Example:
        >>> import pandas as pd
        >>> from typing import NamedTuple
        >>> from jdbench.analysis.frames import rows
        >>> class Pair(NamedTuple):
        ...     b: int
        ...     a: str
        >>> rows(pd.DataFrame({"a": ["x", "y"], "b": [1, 2], "c": [3, 4]}), Pair)
        [Pair(b=1, a='x'), Pair(b=2, a='y')]
    """
    make = cast("Any", kind)
    return [make(*values) for values in zip(*(values_of(frame, name) for name in make._fields), strict=True)]


def series(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column."""
    return cast("pd.Series", frame[column])


def values_of(frame: pd.DataFrame, column: str) -> list[Any]:
    """Return the values of a column as Python's."""
    return series(frame, column).tolist()


def names(frame: pd.DataFrame, column: str) -> list[str]:
    """Return the values of a column of names."""
    return [str(name) for name in series(frame, column)]


def numbers(frame: pd.DataFrame, column: str) -> Array:
    """Return the values of a column of numbers as float64, whatever its dtype."""
    return series(frame, column).to_numpy(dtype=np.float64)


def flags(frame: pd.DataFrame, column: str) -> npt.NDArray[np.bool_]:
    """Return the values of a column of booleans, whatever its dtype."""
    return series(frame, column).to_numpy(dtype=np.bool_)


def ordered(frame: pd.DataFrame, column: str, order: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a table in the order of a list of their names, those of one name as they come."""
    places = np.array([order.index(name) for name in names(frame, column)], dtype=np.int64)
    return frame.iloc[np.argsort(places, kind="stable")]
