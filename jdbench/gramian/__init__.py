"""The Gramian of a Jacobian: all that a weighted aggregator needs to know of it ([JD] Section 6)."""

from jdbench.gramian.explicit import check_jacobian, combine, gramian
from jdbench.gramian.rank import Eigen, eigen, rank_cutoff
from jdbench.gramian.unit_rows import UnitRows, as_gramian, checked_gramian, soundness, unit_rows

__all__ = [
    "Eigen",
    "UnitRows",
    "as_gramian",
    "check_jacobian",
    "checked_gramian",
    "combine",
    "eigen",
    "gramian",
    "rank_cutoff",
    "soundness",
    "unit_rows",
]
