"""What is kept of each parameter, under torch's names, and the flat vectors that a step is computed with.

Buffers have the dtype of their parameter, as torch's `load_state_dict` makes them. Counts are Python's numbers,
which it leaves as they are: it would round a tensor to the dtype of the parameter, which may be half-precise.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from jdbench.momentum.method import Momentum
from jdbench.shapes import Vector


def begun(method: type[Momentum], parameter: Tensor, own: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter, begun without momentum if it was empty."""
    if not own:
        own |= dict(method.counts.values())
        own |= {name: torch.zeros_like(parameter) for name in method.buffers.values()}
    return own


def gathered(
    method: type[Momentum], states: Sequence[dict[str, Any]], parameters: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Return the states as a method wants them: counts ``[1, P]`` and buffers ``[1, n]``."""
    state = {
        name: torch.tensor([[float(own[saved]) for own in states]], dtype=torch.float64)
        for name, (saved, _) in method.counts.items()
    }
    if "product" in state:
        # torch keeps it in the default dtype. Its rounding grows to 1e-6 of a step, so that one that keeps it
        # better is another method.
        state["product"] = state["product"].to(torch.get_default_dtype())
    return state | {
        name: flat([own[saved] for own in states], parameters) for name, saved in method.buffers.items()
    }


def keep(
    method: type[Momentum],
    state: dict[str, Tensor],
    states: Sequence[dict[str, Any]],
) -> None:
    """Write counts and buffers back to the states they were gathered from."""
    for name, (saved, _) in method.counts.items():
        for own, value in zip(states, state[name].squeeze(0).tolist(), strict=True):
            own[saved] = value
    for name, saved in method.buffers.items():
        scatter(state[name], [own[saved] for own in states])


def flat(tensors: Sequence[Tensor], parameters: Sequence[Tensor]) -> Vector:
    """Return the entries of tensors one after the other, in the dtype and on the device of the step.

    Args:
        tensors: One a parameter.
        parameters: Whose dtypes and devices decide.

    Returns:
        Shape ``[1, n]``; complex entries are two.
    """
    # Half precision has too few digits, and too small a range, for squares and their roots.
    dtype = reduce(torch.promote_types, (real(p).dtype for p in parameters), torch.float32)
    device = parameters[0].device
    return torch.cat([real(t).reshape(-1).to(device, dtype) for t in tensors]).unsqueeze(0)


def scatter(whole: Vector, tensors: Sequence[Tensor]) -> None:
    """Write the parts of a vector ``[1, n]`` to the tensors whose entries they are."""
    targets = [real(t) for t in tensors]
    for target, part in zip(targets, whole.squeeze(0).split([t.numel() for t in targets]), strict=True):
        target.copy_(part.view_as(target))


def real(t: Tensor) -> Tensor:
    """Return a view of a tensor as real numbers, detached."""
    return torch.view_as_real(t.detach()) if t.is_complex() else t.detach()
