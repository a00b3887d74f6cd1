"""SYM-PART: nine tiles with the same pair of spheres, nine equivalent Pareto sets."""

from typing import ClassVar

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem
from jdbench.problems.starts import in_box
from jdbench.shapes import Jacobian, Objectives, Vector


class SymPart(AnalyticProblem):
    """SYM-PART, f(x) = ((p₁ ± 1)² + p₂²), p the place of x within its tile: nine equivalent segments.

    Tiles are 10 wide in both directions, centred on multiples of 10 from -10 to 10; all beyond
    belongs to the outermost. The Pareto set is a segment of length 2 in each; distances are measured in x, to
    the nearest. f jumps where x₁ goes from tile to tile and has a kink where x₂ does, so that there is no β;
    within a tile both Hessians are 2I. Starts are in [-15, 15]².

    Example:
        >>> import torch
        >>> from jdbench.problems.sym_part import SymPart
        >>> problem = SymPart()
        >>> x = torch.tensor([[0.0, 2.0], [10.0, 2.0], [-10.0, -8.0]])  # the same place in three tiles
        >>> problem.objectives(x), problem.distance(x)
        (tensor([[5., 5.],
                [5., 5.],
                [5., 5.]]), tensor([2., 2., 2.]))
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Rudolph, Naujoks & Preuss 2007, SYM-PART simple with a = 1, b = 10, c = 8"
    m: int = 2
    n: int = 2
    WIDTH: ClassVar[float] = 10.0

    def objectives(self, x: Vector) -> Objectives:
        """Return (p₁ + 1)² + p₂² and (p₁ - 1)² + p₂², shape ``[..., 2]``."""
        return self.jacobian(x).square().sum(-1) / 4

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2(p₁ ± 1, p₂), shape ``[..., 2, 2]``."""
        place = x - self.WIDTH * (x / self.WIDTH).round().clamp(-1, 1)
        centres = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).to(x)
        return 2 * (place.unsqueeze(-2) - centres)

    def start(self, seed: int) -> Vector:
        """Return a point of [-15, 15]², shape ``[2]``."""
        return in_box(seed, [-15.0, -15.0], [15.0, 15.0])

    def pareto_set(self, count: int) -> Vector:
        """Return points of the nine segments, shape ``[count, 2]``, segment by segment."""
        shares = [count // 9 + (k < count % 9) for k in range(9)]
        parts = []
        for k, share in enumerate(shares):
            first = torch.linspace(-1, 1, share, dtype=torch.float64) + self.WIDTH * (k % 3 - 1)
            parts.append(torch.stack([first, torch.full_like(first, self.WIDTH * (k // 3 - 1))], -1))
        return torch.cat(parts)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the nearest segment, which is that of its own tile."""
        tile = self.WIDTH * (x / self.WIDTH).round().clamp(-1, 1)
        place = x - tile
        return torch.stack([(place[..., 0].abs() - 1).clamp(min=0), place[..., 1]], -1).norm(dim=-1)
