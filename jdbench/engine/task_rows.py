"""Objectives that are not separable over instances: the rows of the Jacobian, one backward pass each."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from jdbench.engine.origin import stack_columns
from jdbench.engine.parts import Part, Rows, Target
from jdbench.engine.passes import vjp
from jdbench.errors import InputError

Head = nn.Module | Iterable[Parameter]
"""The parameters of one task."""


def task_rows(losses: Tensor, parameters: list[Parameter]) -> list[Part]:
    """Return the gradients of losses ``[T]``: T backward passes, done as one batched pass where torch can.

    The graph is kept. There is one part, or none if the losses depend on none of the parameters.
    """
    eye = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
    found: Sequence[Tensor | None]
    try:
        found = vjp(losses, parameters, eye, retain_graph=True, batched=True)
    except RuntimeError:  # an operation in the graph that cannot be batched
        found = stack_columns([vjp(losses, parameters, seed, retain_graph=True) for seed in eye])
    return _rows(found, parameters)


def headed_rows(
    losses: Tensor, shared: list[Parameter], heads: list[list[Parameter]]
) -> tuple[list[Part], list[Tensor | None]]:
    """Return the gradients of losses ``[T]``, with respect to the shared parameters and each to its own head.

    They are the rows of the shared parameters, and the gradients of all heads in order: T backward passes.
    """
    rows: list[tuple[Tensor | None, ...]] = []
    own: list[Tensor | None] = []
    seeds = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
    for t, (seed, head) in enumerate(zip(seeds, heads, strict=True)):
        keep = t + 1 < len(heads)
        found = vjp(losses, [*shared, *head], seed, retain_graph=keep)
        rows.append(found[: len(shared)])
        own.extend(found[len(shared) :])
    return _rows(stack_columns(rows), shared), own


def _rows(found: Sequence[Tensor | None], parameters: list[Parameter]) -> list[Part]:
    rows: dict[Target, Tensor] = {p: g for p, g in zip(parameters, found, strict=True) if g is not None}
    return [Rows(rows)] if rows else []


def checked_heads(heads: Sequence[Head], tasks: int, trained: list[Parameter]) -> list[list[Parameter]]:
    """Return the trained parameters of each head.

    Raises:
        InputError: There are not as many heads as losses, a head holds a parameter that is not in the model, or
            two heads share one.
    """
    if not isinstance(heads, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"heads, required a sequence, one a loss, got {type(heads).__name__}, pass a list")
    if len(heads) != tasks:
        raise InputError(f"heads, required one a loss, got {len(heads)} for {tasks} losses, pass [] for none")
    listed = [list(h.parameters()) if isinstance(h, nn.Module) else _listed(h) for h in heads]
    found = [[p for p in head if p.requires_grad] for head in listed]
    everything = [p for head in found for p in head]
    known = set(trained)
    if any(p not in known for p in everything):
        raise InputError("heads, required parameters of the model, got another one, hook the whole model")
    if len(set(everything)) != len(everything):
        raise InputError("heads, required that no two share a parameter, got a shared one, leave it out")
    return found


def _listed(head: object) -> list[Parameter]:
    parameters = list(head) if isinstance(head, Iterable) else [head]
    if not all(isinstance(p, Parameter) for p in parameters):
        raise InputError(
            f"heads, required modules or iterables of parameters, got {type(head).__name__}, pass [] for none"
        )
    return cast("list[Parameter]", parameters)
