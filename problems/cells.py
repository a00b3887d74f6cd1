"""The bounded cells of an arrangement of lines: where least squares with two parameters are Pareto optimal."""

import math

import torch
from torch import Tensor

from jdbench.problem import seeded
from jdbench.problems.hull import distance_to_segment
from jdbench.shapes import Vector


class BoundedCells:
    """The bounded cells of the lines rᵢ = xᵢᵀθ - yᵢ = 0, no two of them parallel, with edges and corners.

    They are the Pareto set of f = (r₁², …, r_m²). As f is convex, θ is dominated if and only if it can be left
    in a direction d ≠ 0 along which no |rᵢ| grows: rᵢxᵢᵀd ≤ 0 for all i, and xᵢᵀd = 0 where rᵢ = 0. No two rows
    are parallel, so that any d changes all of the rᵢ but at most one.

    - Off the lines there is no such d if and only if no half-plane holds all rᵢxᵢ. That depends on the signs
      of the rᵢ alone, on the cell, and holds in those from which no direction leads on for ever.
    - On one line the two directions along it are left. One of them serves beyond the outermost of its
      crossings with other lines, in between none does: all of the line minimises fᵢ and is weakly stationary,
      but only the part between its outermost crossings, the edges of bounded cells, is optimal.
    - Where lines cross no direction is left: optimal.

    Attributes:
        edges: Ends of the part of each line between its outermost crossings, shape ``[m, 2, 2]``.
    """

    def __init__(self, X: Tensor, y: Tensor) -> None:
        """Find the edges.

        Args:
            X: Normals xᵢ of the lines, shape ``[m, 2]``, m ≥ 3, float64.
            y: Offsets yᵢ, shape ``[m]``, float64.
        """
        # Beside an edge between two corners, on one side of it, its line and the two that cross it there form a
        # triangle: the cell on that side is bounded. So these parts of lines are all edges of bounded cells.
        self.X, self.y = X, y
        pairs = []
        for i in range(len(X)):
            others = [j for j in range(len(X)) if j != i]
            systems = torch.stack([X[[i, j]] for j in others])
            sides = torch.stack([y[[i, j]] for j in others]).unsqueeze(-1)
            points = torch.linalg.solve(systems, sides).squeeze(-1)
            along = points @ torch.stack([-X[i, 1], X[i, 0]])
            pairs.append(points[[int(along.argmin()), int(along.argmax())]])
        self.edges = torch.stack(pairs)

    def distance(self, x: Vector) -> Tensor:
        """Return 0 inside bounded cells, elsewhere the distance to the edges, shape ``[...]``.

        On the edges themselves that is 0 but for rounding.
        """
        beside = torch.stack([distance_to_segment(x, *ends) for ends in self.edges]).amin(0)
        return beside.where(~self._inside(x), 0)

    def spread(self, count: int) -> Vector:
        """Return ``count`` points or fewer, shape ``[k, 2]``: corners, then random points inside."""
        corners = self.edges.reshape(-1, 2)
        drawn = 2 * torch.rand(32 * count, 2, dtype=torch.float64, generator=seeded(0)) - 1
        drawn = drawn * self.edges.abs().amax((0, 1))
        return torch.cat([corners, drawn[self._inside(drawn)]])[:count]

    def _inside(self, x: Vector) -> Tensor:
        """Return whether no half-plane holds all rᵢxᵢ: from one to the next in angle is less than π.

        On a line rᵢxᵢ has no angle, and the answer is no. A sign that rounding has turned stands for the cell
        across the line: where one of the two is bounded the edge between them is as near as the point is to it.
        """
        X = self.X.to(x)
        signs = (x @ X.T - self.y.to(x)).sign()
        turned = signs.unsqueeze(-1) * X
        angles = torch.atan2(turned[..., 1], turned[..., 0]).sort(dim=-1).values
        around = angles[..., 0] + 2 * math.pi - angles[..., -1]
        return (torch.maximum(angles.diff(dim=-1).amax(-1), around) < math.pi) & (signs != 0).all(-1)
