"""The Gramian of a Jacobian: all that a weighted aggregator needs to know of it ([JD] Section 6)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jdbench.gramian.algorithm3 import chain_rule, reverse_accumulation, sum_rule
from jdbench.gramian.explicit import check_jacobian, combine, gramian, non_finite
from jdbench.gramian.rank import Eigen, eigen, full_rank, rank_cutoff
from jdbench.gramian.unit_rows import (
    UnitRows,
    as_gramian,
    checked_gramian,
    half_precision,
    is_sound,
    soundness,
    unit_rows,
)

if TYPE_CHECKING:
    from jdbench.engine import Engine

__all__ = [
    "Eigen",
    "Engine",
    "UnitRows",
    "as_gramian",
    "chain_rule",
    "check_jacobian",
    "checked_gramian",
    "combine",
    "eigen",
    "full_rank",
    "gramian",
    "half_precision",
    "is_sound",
    "non_finite",
    "rank_cutoff",
    "reverse_accumulation",
    "soundness",
    "sum_rule",
    "unit_rows",
]


def __getattr__(name: str) -> Any:
    """Return the engine, which stands on this package and has its old place here."""
    if name == "Engine":
        return import_module("jdbench.engine").Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
