"""Gramian-based Jacobian descent for any graph of modules: one forward and one backward pass ([JD] Section 6).

For losses that are separable over instances, the gradients of all losses with respect to all parameters follow
from the input x of every layer and the gradient δ of its output, and one backward pass gives the δ of all
instances at once. The Gramian is summed layer by layer, (12); once the weights w are known, Jᵀw = ∇(wᵀf), (10),
comes from the same x and δ scaled by w.
"""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self, final

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from jdbench.errors import InputError
from jdbench.gramian.aggregation import Weighting, check_weighting, weights
from jdbench.gramian.coverage import check_gradient, check_owners
from jdbench.gramian.graph import walk
from jdbench.gramian.heap import keep_freed_memory
from jdbench.gramian.instance_rows import instance_parts
from jdbench.gramian.part import Part
from jdbench.gramian.recorder import Recorder
from jdbench.gramian.task_rows import Head, checked_heads, headed_rows, task_rows
from jdbench.gramian.units import check_instances_apart
from jdbench.shapes import Gramian, Jacobian, Weights


@final
class Engine:
    """Gramians of losses with respect to the trained parameters of a model, and their aggregated gradient.

    >>> engine = Engine(model)
    >>> losses = F.cross_entropy(model(x), y, reduction="none")
    >>> engine.backward(losses, UPGrad())
    >>> optimizer.step()

    Build it before the forward pass. Losses come in three kinds; row k of J is the gradient of the k-th.

    - ``[B]``, one an instance: 1 backward pass. That loss i depends on instance i alone is the caller's
      promise; ``check=True`` tests it, for one pass more. Every module's output counts instances first.
    - ``[B, T]``, one an instance and task: T passes; the rows are (0, 0), (0, 1), …, (B-1, T-1).
    - ``[T]`` with ``separable=False``: T passes, and the Jacobian is held in memory.

    No pass computes a parameter's gradient in the first two kinds. Layers without a closed form are called once
    more and differentiated once more, by themselves: recurrent and attention layers, modules with parameters of
    their own besides children, and all that torch does not come with. Where torch cannot batch that product,
    because the layer draws random numbers for example, it takes B·T passes through that layer.

    The Gramian is float64. The products of float64 layers are float64 throughout; those of narrower ones err by
    at most γ‖gᵢ‖‖gⱼ‖ in the γ of float32 and of the layer's positions plus 1024, whatever the norms: a power of
    two is taken out of each row where squares would leave the range of float32.

    Attributes:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        """Hook the modules of a model.

        Args:
            model: Any module.
        """
        self.model = model
        keep_freed_memory()
        self._recorder = Recorder(model)

    def remove(self) -> None:
        """Remove all hooks from the model; the engine is of no use any more."""
        self._recorder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def gramian(self, losses: Tensor, *, separable: bool = True, check: bool = False) -> Gramian:
        """Return G = JJᵀ ([JD] eq. 12 over the layers). The graph of the losses is kept.

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable, ``[T]``.
            separable: Whether each loss depends on one instance alone.
            check: Whether to test that.

        Returns:
            Shape ``[m, m]`` with m the number of losses, float64.

        Raises:
            InputError: The losses have no graph or another shape, a module mixes instances or does not count
                them first, a parameter is used other than by the modules that own it, or the check fails.
        """
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            return _gramian(self._parts(losses, separable, check, retain_graph=True), losses)

    def jacobian(self, losses: Tensor, *, separable: bool = True, check: bool = False) -> Jacobian:
        """Return J itself, for as little as `gramian` costs. The graph of the losses is kept.

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable, ``[T]``.
            separable: Whether each loss depends on one instance alone.
            check: Whether to test that.

        Returns:
            Shape ``[m, n]``, of the losses' dtype: gradients in rows, with respect to the trained parameters in
            the model's order, flattened; zero where a loss does not depend on one.

        Raises:
            InputError: As `gramian`.
        """
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            rows: dict[Parameter, Tensor] = {}
            for part in self._parts(losses, separable, check, retain_graph=True):
                rows.update(zip(part.parameters, part.rows(), strict=True))
            m, columns = losses.numel(), 0
            J = losses.new_empty(m, sum(p.numel() for p in self._trained()))
            for p in self._trained():
                J[:, columns : columns + p.numel()] = rows[p].reshape(m, -1) if p in rows else 0
                columns += p.numel()
            return J

    def backward(
        self,
        losses: Tensor,
        aggregator: Weighting,
        *,
        generator: torch.Generator | None = None,
        separable: bool = True,
        heads: Sequence[Head] | None = None,
        check: bool = False,
    ) -> Weights:
        """Add Jᵀw with w = W(JJᵀ) to ``.grad``, as `torch.Tensor.backward` would ([JD] eq. 10).

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable or with heads, ``[T]``.
            aggregator: With ``weights(G, generator=…)``, such as any `GramianAggregator`.
            generator: Source of the aggregator's randomness; the global one if None.
            separable: Whether each loss depends on one instance alone.
            heads: Parameters of each of T tasks, as modules or iterables: J covers the others, which are
                shared, and head t gets the gradient of loss t alone. T passes.
            check: Whether to test that losses are separable.

        Returns:
            The weights w, float64, of the shape of the losses.

        Raises:
            InputError: As `gramian`; and where the aggregator has no weights or the heads do not fit.
        """
        check_weighting(aggregator)
        separable = separable and heads is None
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            if heads is None:
                parts, own = self._parts(losses, separable, check, retain_graph=False), {}
            else:
                parts, own = self._headed(losses, heads)
            w = weights(aggregator, _gramian(parts, losses), generator)
            gradients: dict[Parameter, Tensor] = dict(own)
            while parts:  # popped one by one, so that each can be let go
                part = parts.pop()
                gradients.update(zip(part.parameters, part.gradient(w), strict=True))
        found = [g.to(p.dtype) for p, g in gradients.items()]
        # Torch itself adds them, with all that is hooked onto the accumulation.
        torch.autograd.backward(list(gradients), found)
        return w.view_as(losses)

    def _trained(self) -> dict[Parameter, str]:
        return {p: name for name, p in self.model.named_parameters() if p.requires_grad}

    def _parts(self, losses: Tensor, separable: bool, check: bool, *, retain_graph: bool) -> list[Part]:
        if not separable:
            return task_rows(losses, list(self._trained()))
        check_instances_apart(self.model)
        found = walk(losses, self._recorder.key)
        if found.outside:
            check_owners(found, self._trained())
        with self._recorder.paused():
            parts = instance_parts(losses, found, self._recorder.units, retain_graph=retain_graph or check)
        if check:
            check_gradient(losses, found, parts, self._trained())
        return parts

    def _headed(self, losses: Tensor, heads: Sequence[Head]) -> tuple[list[Part], dict[Parameter, Tensor]]:
        trained = list(self._trained())
        own = checked_heads(heads, len(losses), trained)
        flat = [p for head in own for p in head]
        shared = [p for p in trained if p not in set(flat)]
        parts, gradients = headed_rows(losses, shared, own)
        return parts, {p: g for p, g in zip(flat, gradients, strict=True) if g is not None}


def _gramian(parts: list[Part], losses: Tensor) -> Gramian:
    m = losses.numel()
    G = torch.zeros(m, m, dtype=torch.float64, device=losses.device)
    for part in parts:
        G += part.gramian()
    return G


def _check_losses(losses: Tensor, separable: bool) -> None:
    shapes = "[B] or [B, T]" if separable else "[T]"
    if losses.ndim not in ((1, 2) if separable else (1,)) or losses.numel() == 0:
        raise InputError(
            f"losses, required shape {shapes}, got {tuple(losses.shape)}, do not reduce them to a mean"
        )
    if losses.grad_fn is None:
        raise InputError("losses, required a graph, got none, compute them with gradients enabled")


def _full_precision(losses: Tensor) -> contextlib.AbstractContextManager[object]:
    """Gramians are not for mixed precision, even if the caller is still within it."""
    device = losses.device.type
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()
