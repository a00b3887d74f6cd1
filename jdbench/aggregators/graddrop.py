"""GradDrop: each coordinate keeps its positive or its negative entries, by chance ([JD] eq. 34)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, short_repr
from jdbench.gramian import check_jacobian, non_finite
from jdbench.shapes import Jacobian, Vector


@dataclass(frozen=True, repr=False)
class GradDrop(Aggregator):
    """Coordinate i is the sum of its positive entries with probability Pᵢ, else of its negative ones.

    P = ½(1 + Jᵀ1 / |J|ᵀ1), element by element ([JD] eq. 34); ½ where a whole column is zero, for which
    the paper's quotient is 0/0 and both sums are 0. Not weighted: it has no `weights`.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import GradDrop
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> GradDrop()(J, draws=torch.tensor([0.7, 0.7]))  # below P = (0.8, 1): the positive entries
        tensor([4., 1.])
        >>> GradDrop()(J, draws=torch.tensor([0.9, 0.9]))
        tensor([-1.,  1.])
    """

    random: ClassVar[bool] = True

    def draw(
        self, shape: torch.Size, *, device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return n uniform draws a matrix, shape ``[..., n]``; arguments as in `Drawing`."""
        return torch.rand((*shape[:-2], shape[-1]), dtype=torch.float64, device=device, generator=generator)

    def __call__(
        self, J: Jacobian, *, generator: torch.Generator | None = None, draws: Tensor | None = None
    ) -> Vector:
        """Return A(J), summed in float64.

        Args:
            J: Jacobian, shape ``[..., m, n]`` with m ≥ 1, finite.
            generator: Source of the n uniform draws of each matrix.
            draws: The draws themselves, shape ``[..., n]``, in place of a generator.

        Returns:
            Direction, shape ``[..., n]``, dtype of J.

        Raises:
            InputError: J has no row or no floating dtype.
            NonFiniteError: J holds NaN or infinity.
        """
        check_jacobian(J)
        entries = J.detach().to(torch.float64)
        positive = entries.clamp(min=0).sum(-2)
        negative = entries.clamp(max=0).sum(-2)
        total = positive - negative  # the column sums of |J|: finite if and only if the column is
        if not bool(torch.isfinite(total).all()):
            raise non_finite(J)
        chance = torch.where(total > 0, positive / torch.where(total > 0, total, 1.0), 0.5)
        if draws is None:
            draws = self.draw(J.shape, device=J.device, generator=generator)
        return torch.where(draws < chance, positive, negative).to(J.dtype)

    __repr__ = short_repr
