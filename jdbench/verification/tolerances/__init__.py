"""Tolerances from rounding, conditioning, solver accuracy and chance: derived, each in its docstring."""

from jdbench.verification.tolerances.margins import (
    conditioning,
    direction,
    modulus,
    one_row,
    operations,
    regular,
    relative_size,
    span,
    stationarity,
    vanishing,
)
from jdbench.verification.tolerances.programs import (
    MOST_ROWS,
    REFERENCE_GAP,
    REFERENCE_GAP_OF_LOGARITHMS,
    improvement,
    nearly_dependent,
    polar,
    projection,
    projections,
    smallest_eigenvalue,
    strong_convexity,
)
from jdbench.verification.tolerances.sampling import (
    FALSE_ALARM,
    binomial_range,
    distribution_distance,
)

__all__ = [
    "FALSE_ALARM",
    "MOST_ROWS",
    "REFERENCE_GAP",
    "REFERENCE_GAP_OF_LOGARITHMS",
    "binomial_range",
    "conditioning",
    "direction",
    "distribution_distance",
    "improvement",
    "modulus",
    "nearly_dependent",
    "one_row",
    "operations",
    "polar",
    "projection",
    "projections",
    "regular",
    "relative_size",
    "smallest_eigenvalue",
    "span",
    "stationarity",
    "strong_convexity",
    "vanishing",
]
