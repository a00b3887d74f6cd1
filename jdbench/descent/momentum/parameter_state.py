"""What is kept of each parameter, under torch's names, and the flat vectors that a step is computed with.

Buffers have the dtype of their parameter, as torch's `load_state_dict` makes them. Counts are Python's numbers,
which it leaves as they are: it would round a tensor to the dtype of the parameter, which may be half-precise.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from jdbench.descent.momentum.method import Momentum
from jdbench.shapes import Vector


class FlatParameters:
    """The entries of some parameters one after the other, in the dtype and on the device of a step.

    Attributes:
        sizes: Number of real entries of each, complex ones being two.
        dtype: The widest of the parameters', at least float32: half precision has too few digits for sums, and
            too small a range for squares.
        device: That of the first.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        """Lay the parameters out."""
        self.sizes = [p.numel() * (2 if p.is_complex() else 1) for p in parameters]
        self.dtype = reduce(torch.promote_types, {p.dtype for p in parameters}, torch.float32).to_real()
        self.device = parameters[0].device

    def flat(self, tensors: Sequence[Tensor]) -> Vector:
        """Return the entries of tensors, one a parameter and in its shape, as a vector ``[1, n]``."""
        return torch.cat([_real(t).reshape(-1).to(self.device, self.dtype) for t in tensors]).unsqueeze(0)

    def scatter(self, whole: Vector, tensors: Sequence[Tensor]) -> None:
        """Write the parts of a vector ``[1, n]`` to the tensors whose entries they are."""
        for t, part in zip(tensors, whole.squeeze(0).split(self.sizes), strict=True):
            target = _real(t)
            target.copy_(part.view(target.shape))


def begun(method: type[Momentum], parameter: Tensor, own: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter, begun without momentum if it was empty."""
    if not own:
        own |= dict(method.counts.values())
        own |= {name: torch.zeros_like(parameter) for name in method.buffers.values()}
    return own


def gathered(
    method: type[Momentum], states: Sequence[dict[str, Any]], layout: FlatParameters
) -> dict[str, Tensor]:
    """Return the states as a method wants them: counts ``[1, P]`` and buffers ``[1, n]``."""
    state = {
        name: torch.tensor([[float(own[saved]) for own in states]], dtype=torch.float64)
        for name, (saved, _) in method.counts.items()
    }
    if "product" in state:
        # As torch keeps it. Float32's rounding, up to 1e-6 of a step, is then torch's too.
        state["product"] = state["product"].to(torch.get_default_dtype())
    return state | {name: layout.flat([own[saved] for own in states]) for name, saved in method.buffers.items()}


def keep(
    method: type[Momentum], state: dict[str, Tensor], states: Sequence[dict[str, Any]], layout: FlatParameters
) -> None:
    """Write counts and buffers back to the states they were gathered from."""
    for name, (saved, _) in method.counts.items():
        for own, value in zip(states, state[name].squeeze(0).tolist(), strict=True):
            own[saved] = value
    for name, saved in method.buffers.items():
        layout.scatter(state[name], [own[saved] for own in states])


def _real(t: Tensor) -> Tensor:
    """Return a view of a tensor as real numbers."""
    return torch.view_as_real(t) if t.is_complex() else t
