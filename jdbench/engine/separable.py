"""Parts of the Jacobian of separable losses: their layouts recalled or read off gradients, checked when due."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from jdbench.engine.graph import Graph, walk
from jdbench.engine.instance_rows import UnknownLayoutError, instance_parts
from jdbench.engine.known_graphs import KnownGraphs
from jdbench.engine.layout_search import distinct_weights, find_layouts
from jdbench.engine.parts import Part, Target, gramian_of
from jdbench.engine.passes import vjp
from jdbench.engine.task_rows import task_rows
from jdbench.errors import InputError
from jdbench.shapes import Gramian, Weights


class MismatchError(Exception):
    """A gradient that differs; the message says which and by how much."""


def compare_with_autograd(
    parts: list[Part],
    G: Gramian,
    expected: Sequence[Tensor | None],
    w: Weights,
    names: dict[Parameter, str],
    eps: float,
) -> None:
    """Raise unless Jᵀw and wᵀGw from the parts are ∇(wᵀf) and ‖∇(wᵀf)‖² from an ordinary backward pass.

    Each parameter is judged by itself: half of the digits must agree, relative to Σᵢ |wᵢ|‖gᵢ‖ of that
    parameter, above 64 roundings of that of the whole model. Parameters with hooks are left out, and G with
    them.

    Args:
        parts: Those of the Jacobian.
        G: Their Gramian.
        expected: ∇(wᵀf), one tensor a parameter.
        w: Drawn at random, shape ``[m]``, float64.
        names: The trained parameters of the model.
        eps: Of the narrowest dtype that was computed in.

    Raises:
        MismatchError: They differ.
    """
    ours: dict[Target, tuple[Tensor, Tensor]] = {}
    for part in parts:
        for p, g, bound in zip(part.parameters, part.gradient(w), part.bounds(), strict=True):
            ours[p] = g, w.abs() @ bound.to(w)
    whole = float(w.abs() @ G.diagonal().clamp(min=0).sqrt())
    if not whole < float("inf"):  # diverged: nothing can be compared, but that autograd has diverged as well
        for (p, name), g in zip(names.items(), expected, strict=True):
            finite = p not in ours or math.isfinite(float(_norm(ours[p][0])))
            if not finite and (g is None or math.isfinite(float(_norm(g.to_dense())))):
                raise MismatchError(
                    f"parameter={name!r}, required a finite gradient as autograd gives, got another"
                )
        return
    compared: list[str] = []
    norms: list[Tensor] = []
    for (p, name), found in zip(names.items(), expected, strict=True):
        if not p._backward_hooks:  # pyright: ignore[reportPrivateUsage]
            g = torch.zeros_like(p) if found is None else found.to_dense() if found.is_sparse else found
            mine, size = ours.get(p, (torch.zeros_like(p), w.new_zeros(())))
            compared.append(name)
            norms += [_norm(g), _norm(mine - g), size]
    numbers = iter(torch.stack(norms).tolist() if norms else [])
    square = 0.0
    for name, norm, difference, size in zip(compared, numbers, numbers, numbers, strict=True):
        square += norm**2
        if not difference <= eps**0.5 * size + 64 * eps * whole:
            raise MismatchError(
                f"parameter={name!r}, required the gradient of an ordinary backward pass, of norm "
                f"{norm:.3g}, got one that differs by {difference:.3g}"
            )
    # What a hook on a parameter makes of its gradient is no gradient.
    hooked = len(compared) < len(names)
    if not hooked and not abs(float(w @ G @ w) - square) <= eps**0.5 * whole**2:
        raise MismatchError(
            f"G, required wᵀGw = ‖∇(wᵀf)‖² = {square:.6g} for a random w, got {float(w @ G @ w):.6g}"
        )


def _norm(t: Tensor) -> Tensor:
    return torch.linalg.vector_norm(t, dtype=torch.float64)


Check = Literal["first"] | bool
"""When to compare with an ordinary backward pass: at uses 1, 2, 4, 8, … of a structure, always, or never."""


def separable_parts(
    losses: Tensor, trained: dict[Parameter, str], known: KnownGraphs, check: Check, *, retain_graph: bool
) -> tuple[list[Part], Gramian | None]:
    """Return parts of the Jacobian, no two of the same parameter, and G if a check has needed it.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``, with a graph.
        trained: The trained parameters of the model, with their names.
        known: What is known of the model's graphs, which is added to.
        check: When to compare with an ordinary backward pass.
        retain_graph: Whether the graph can be used again; it is kept all the same where that is needed.

    Raises:
        InputError: A module mixes instances, torch cannot go through the graph, or the check fails.
    """
    _check_instances_apart(known.model)
    if len(losses) == 1:  # no instances to tell apart: an ordinary pass a row
        return _row_by_row(losses, list(trained)), None
    try:
        graph = walk(losses, known.model, trained, known.is_constant(len(losses)), known.signatures)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "losses, required a graph of tensors with shapes, got another, such as nested tensors of several "
            f"lengths: {str(error).splitlines()[0]}, pad them, or pass separable=False"
        ) from error
    checked = check is True or (check == "first" and known.due(graph))
    if known.recall(graph, len(losses)):
        try:
            return _checked(losses, graph, trained, known, checked, retain_graph=retain_graph)
        except (UnknownLayoutError, MismatchError):  # what was learnt does not hold here
            pass
    graph = find_layouts(losses, trained, known)
    try:
        return _checked(losses, graph, trained, known, checked, retain_graph=retain_graph)
    except UnknownLayoutError:  # what is zero but for rounding errors
        return _row_by_row(losses, list(trained)), None
    except MismatchError as error:
        raise InputError(
            f"{error}, find what mixes instances or changes from pass to pass, or pass separable=False"
        ) from error


def _checked(
    losses: Tensor,
    graph: Graph,
    trained: dict[Parameter, str],
    known: KnownGraphs,
    checked: bool,
    *,
    retain_graph: bool,
) -> tuple[list[Part], Gramian | None]:
    parts = instance_parts(losses, graph, trained, retain_graph=retain_graph or checked)
    if not checked:
        return parts, None
    w = distinct_weights(losses.shape, known.generator)
    expected = vjp(losses, list(trained), w.to(losses), retain_graph=True)
    w, eps, G = w.to(losses.device).flatten(), _narrowest(graph, losses, trained), gramian_of(parts, losses)
    try:
        compare_with_autograd(parts, G, expected, w, trained, eps)
    except MismatchError:
        # Gradients that cancel leave rounding errors, which differ from pass to pass but not in each row.
        rows: dict[Target, Tensor] = {}
        for part in _row_by_row(losses, list(trained)):
            rows.update(zip(part.parameters, part.gradient(w), strict=True))
        compare_with_autograd(parts, G, [rows.get(p) for p in trained], w, trained, eps)
    return parts, G


def _row_by_row(losses: Tensor, parameters: list[Parameter]) -> list[Part]:
    with torch.enable_grad():
        flat = losses.flatten()
    return task_rows(flat, parameters)


def _narrowest(graph: Graph, losses: Tensor, trained: dict[Parameter, str]) -> float:
    """Return the largest roundoff of the dtypes that were computed in."""
    within = {dtype for junction in graph.junctions for dtype in junction.dtypes}
    dtypes = {losses.dtype, *(p.dtype for p in trained), *within}
    return max(torch.finfo(dtype).eps for dtype in dtypes if dtype.is_floating_point)


def _check_instances_apart(model: nn.Module) -> None:
    for path, module in model.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise InputError(
                f"module={path!r}, required one that treats every instance apart, got {type(module).__name__} "
                "with batch statistics, call its eval(), replace it by GroupNorm, or pass separable=False "
                "for a Jacobian row by row"
            )
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.scale_grad_by_freq:
            raise InputError(
                f"module={path!r}, required scale_grad_by_freq=False, got gradients divided by counts over the "
                "batch, which are no gradients of one instance's loss, build it without"
            )
