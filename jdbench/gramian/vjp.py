"""Vector-Jacobian products, where an output may not depend on an input."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge


def vjp(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor | GradientEdge],
    seeds: Tensor | Sequence[Tensor],
    *,
    retain_graph: bool,
    batched: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return Σ seedᵀ ∂output/∂input for every input.

    Args:
        outputs: What is differentiated.
        inputs: With respect to what.
        seeds: Of the shapes of the outputs, with one more axis in front if batched.
        retain_graph: Whether the graph can be used again.
        batched: Whether to go through the graph once with many seeds, where all its operations allow that.

    Returns:
        One an input, None where no output depends on it.
    """
    found = torch.autograd.grad(  # pyright: ignore[reportCallIssue]
        outputs,
        inputs,  # pyright: ignore[reportArgumentType]
        seeds,
        retain_graph=retain_graph,
        allow_unused=True,
        is_grads_batched=batched,
    )
    return cast("tuple[Tensor | None, ...]", found)
