"""Names of array shapes, apart because every wing uses them: m objectives, n parameters, leading batches."""

from jaxtyping import Float
from torch import Tensor

Jacobian = Float[Tensor, "*batch m n"]
"""One gradient a row."""

Gramian = Float[Tensor, "*batch m m"]
"""Inner products of the rows of a Jacobian: positive semi-definite."""

Weights = Float[Tensor, "*batch m"]
"""One weight a row."""

WeightRows = Float[Tensor, "*batch k m"]
"""k weight vectors that share one Gramian."""

Norms = Float[Tensor, "*batch m"]
"""Euclidean norms of the rows of a Jacobian."""

Vector = Float[Tensor, "*batch n"]
"""A direction or a point in parameter space."""

Objectives = Float[Tensor, "*batch m"]
"""Values of the objectives at a point."""
