"""Distance to the convex hull of a few points, and points spread over it."""

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.problem import seeded
from jdbench.shapes import Vector

CHUNK = 4096
"""Points at a time, so that what is computed stays in the processor's cache."""


class Faces(NamedTuple):
    """The affine hulls of as many corners each.

    Attributes:
        first: Corner₀ of each, shape ``[f, n]``.
        edges: Rows corner - corner₀, shape ``[f, k, n]``.
        map: Of x to the weights of the corners but the first of its projections, shape ``[n, k · f]``.
        offset: The weights of 0, shape ``[k · f]``.
    """

    first: Tensor
    edges: Tensor
    map: Tensor
    offset: Tensor


class Hull:
    """The convex hull of m points of Rⁿ; m of at most about 10, for every face is looked at."""

    def __init__(self, corners: Tensor) -> None:
        """Prepare the projections onto all faces that can hold a nearest point.

        By Carathéodory's theorem those of at most n + 1 affinely independent corners are enough.

        Args:
            corners: The points, shape ``[m, n]``, float64.
        """
        self.corners = corners
        m, n = corners.shape
        self.faces: list[Faces] = []
        for size in range(2, min(m, n + 1) + 1):
            chosen = torch.tensor(list(combinations(range(m), size)))
            first = corners[chosen[:, 0]]
            edges = corners[chosen[:, 1:]] - first.unsqueeze(1)
            independent = torch.linalg.matrix_rank(edges) == size - 1
            first, edges = first[independent], edges[independent]
            inverse = torch.linalg.pinv(edges)
            offset = -(first.unsqueeze(1) @ inverse).squeeze(1).T.flatten()
            self.faces.append(Faces(first, edges, inverse.permute(1, 2, 0).reshape(n, -1), offset))

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of points to the hull, shape ``[...]``.

        It is the least of the distances to the corners and to the projections onto those faces where the
        projection has no negative weight.
        """
        flat = x.reshape(-1, x.shape[-1]).to(torch.float64)
        parts = [self._distance(chunk) for chunk in flat.split(CHUNK)]
        return torch.cat(parts).reshape(x.shape[:-1]).to(x.dtype)

    def _distance(self, x: Tensor) -> Tensor:
        best = torch.stack([(x - corner).square().sum(-1) for corner in self.corners]).amin(0)
        for faces in self.faces:
            count, size, _ = faces.edges.shape
            weights = (x @ faces.map + faces.offset).reshape(len(x), size, count)
            point, face = ((weights.amin(1) >= 0) & (weights.sum(1) <= 1)).nonzero(as_tuple=True)
            inside = weights[point, :, face].unsqueeze(1)
            gap = x[point] - faces.first[face] - (inside @ faces.edges[face]).squeeze(1)
            best.scatter_reduce_(0, point, gap.square().sum(-1), "amin")
        return best.sqrt()

    def spread(self, count: int) -> Vector:
        """Return ``count`` points of the hull, shape ``[count, n]``: corners first, or a segment in order."""
        return _simplex(count, len(self.corners)) @ self.corners


def distance_to_segment(x: Vector, end: Vector, other: Vector) -> Tensor:
    """Return the distance of points to the segment between two points.

    Args:
        x: Points, shape ``[..., n]``.
        end: One end, shape ``[n]``.
        other: The other, shape ``[n]``, different.

    Returns:
        Distances, shape ``[...]``.
    """
    end, other = end.to(x), other.to(x)
    edge = other - end
    share = ((x - end) * edge).sum(-1, keepdim=True) / edge.square().sum()
    return (x - end - share.clamp(0, 1) * edge).norm(dim=-1)


def along_segment(end: Vector, other: Vector, count: int) -> Vector:
    """Return ``count`` points from one end of a segment to the other, shape ``[count, n]``.

    Args:
        end: One end, shape ``[n]``.
        other: The other, shape ``[n]``.
        count: How many.

    Returns:
        The points, in order.
    """
    share = torch.linspace(0, 1, count, dtype=torch.float64).unsqueeze(-1)
    return end + share * (other - end)


@lru_cache(maxsize=16)
def _simplex(count: int, m: int) -> Tensor:
    """Return weights of the simplex: the corners, then uniform draws; for two corners evenly spaced ones."""
    if m == 2:
        share = torch.linspace(0, 1, count, dtype=torch.float64)
        return torch.stack([1 - share, share], -1)
    drawn = torch.rand(count, m, dtype=torch.float64, generator=seeded(0)).log_()
    weights = torch.cat([torch.eye(m, dtype=torch.float64), drawn / drawn.sum(-1, keepdim=True)])
    return weights[:count]
