"""Gramian-based Jacobian descent for any graph of modules: one forward and one backward pass ([JD] Section 6).

For losses that are separable over instances, the gradients of all losses with respect to all parameters follow
from the input x of every layer and the gradient δ of its output, and one backward pass gives the δ of all
instances at once. The Gramian is summed layer by layer, (12); once the weights w are known, Jᵀw = ∇(wᵀf), (10),
comes from the same x and δ scaled by w.
"""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, cast, final

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from jdbench.engine.aggregation import Choice, direct, named, weigh
from jdbench.engine.check import MismatchError, compare
from jdbench.engine.graph import Graph, vjp, walk
from jdbench.engine.heap import keep_freed_memory
from jdbench.engine.instance_rows import UntoldError, instance_parts
from jdbench.engine.memory import Memory
from jdbench.engine.part import Part, Target
from jdbench.engine.separation import separate, weights_apart
from jdbench.engine.task_rows import Head, checked_heads, headed_rows, task_rows
from jdbench.errors import InputError
from jdbench.shapes import Gramian, Jacobian, Weights

Losses = Tensor | Sequence[Tensor]
"""Losses, or a sequence of them."""

Check = Literal["first"] | bool
"""When to compare with an ordinary backward pass: at uses 1, 2, 4, 8, … of a structure, always, or never."""


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
        self._memory = Memory(model)

    def remove(self) -> None:
        """Forget what was learnt of the model, on which nothing is hooked."""
        self._memory = Memory(self.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def gramian(self, losses: Losses, *, separable: bool = True, check: Check = "first") -> Gramian:
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
        losses = _stacked(losses)
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            parts, G = self._parts(losses, separable, check, retain_graph=True)
            return _gramian(parts, losses) if G is None else G

    def jacobian(self, losses: Losses, *, separable: bool = True, check: Check = "first") -> Jacobian:
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
        losses = _stacked(losses)
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            parts, _ = self._parts(losses, separable, check, retain_graph=True)
            return _jacobian(parts, losses, list(self._trained()))

    def backward(
        self,
        losses: Losses,
        aggregator: Choice,
        *,
        generator: torch.Generator | None = None,
        separable: bool = True,
        heads: Sequence[Head] | None = None,
        check: Check = "first",
    ) -> Weights | None:
        """Add A(J) = Jᵀw to ``.grad``, as `torch.Tensor.backward` would ([JD] eq. 10).

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable or with heads, ``[T]``; or a sequence of
                them.
            aggregator: One with ``weights(G, generator=…)``, such as any `GramianAggregator`, or TorchJD's: J
                is
                not formed. Any other callable of J, which is. Or the spec of one, such as ``"UPGrad"``.
            generator: Source of the aggregator's randomness; the global one if None.
            separable: Whether each loss depends on one instance alone.
            heads: Parameters of each of T tasks, as modules or iterables: J covers the others, which are
                shared, and head t gets the gradient of loss t alone. T passes.
            check: When to compare with an ordinary backward pass.

        Returns:
            The weights w, float64, of the shape of the losses; None if a callable gave a direction instead.

        Raises:
            InputError: As `gramian`; and where the aggregator gives something else or the heads do not fit.
        """
        chosen = named(aggregator)
        losses = _stacked(losses)
        separable = separable and heads is None
        _check_losses(losses, separable)
        with _full_precision(losses), torch.no_grad():
            if heads is None:
                (parts, G), own = self._parts(losses, separable, check, retain_graph=False), {}
            else:
                (parts, own), G = self._headed(losses, heads), None
            gradients: dict[Target, Tensor] = {**own}
            weighted, w = weigh(chosen), None
            if weighted is None:
                parameters = [p for p in self._trained() if p not in own]
                J = _jacobian(parts, losses, parameters)
                direction, w = direct(chosen, J, generator)
                if direction is not None:
                    sizes = [p.numel() for p in parameters]
                    shares = zip(parameters, direction.split(sizes), strict=True)
                    gradients.update((p, d.view(p.shape)) for p, d in shares)
            else:
                w = weighted(_gramian(parts, losses) if G is None else G, generator)
            while w is not None and parts:  # popped one by one, so that each can be let go
                part = parts.pop()
                gradients.update(zip(part.parameters, part.gradient(w), strict=True))
        parameters = cast("list[Parameter]", list(gradients))
        found = [g.to(p.dtype) for p, g in zip(parameters, gradients.values(), strict=True)]
        # Torch itself adds them, with all that is hooked onto the accumulation.
        torch.autograd.backward(parameters, found)
        return None if w is None else w.view_as(losses)

    def _trained(self) -> dict[Parameter, str]:
        trained = {p: name for name, p in self.model.named_parameters() if p.requires_grad}
        if found := next((name for p, name in trained.items() if p.is_complex()), None):
            raise InputError(
                f"parameter={found!r}, required real parameters, got complex ones, whose gradients make no real "
                "Jacobian, keep their torch.view_as_real as the parameter"
            )
        return trained

    def _parts(
        self, losses: Tensor, separable: bool, check: Check, *, retain_graph: bool
    ) -> tuple[list[Part], Gramian | None]:
        """Return the parts of the Jacobian, and G if a check has needed it."""
        trained = self._trained()
        if not separable:
            return task_rows(losses, list(trained)), None
        _check_instances_apart(self.model)
        if len(losses) == 1:  # no instances to tell apart: an ordinary pass a row
            return _row_by_row(losses, list(trained)), None
        graph = walk(losses, self.model, trained, self._memory.judge(len(losses)))
        checked = check is True or (check == "first" and self._memory.due(graph))
        if self._memory.recall(graph, len(losses)):
            try:
                return self._checked(losses, graph, trained, checked, retain_graph=retain_graph)
            except (UntoldError, MismatchError):  # what was learnt does not hold here
                pass
        graph = separate(losses, trained, self._memory)
        try:
            return self._checked(losses, graph, trained, checked, retain_graph=retain_graph)
        except UntoldError:  # what is zero but for rounding errors
            return _row_by_row(losses, list(trained)), None
        except MismatchError as error:
            raise InputError(
                f"{error}, find what mixes instances or changes from pass to pass, or pass separable=False"
            ) from error

    def _checked(
        self, losses: Tensor, graph: Graph, trained: dict[Parameter, str], checked: bool, *, retain_graph: bool
    ) -> tuple[list[Part], Gramian | None]:
        parts = instance_parts(losses, graph, trained, retain_graph=retain_graph or checked)
        if not checked:
            return parts, None
        w = weights_apart(losses.shape, self._memory.generator)
        expected = vjp(losses, list(trained), w.to(losses), retain_graph=True)
        w, eps, G = w.to(losses.device).flatten(), _narrowest(graph, losses, trained), _gramian(parts, losses)
        try:
            compare(parts, G, expected, w, trained, eps)
        except MismatchError:
            # Gradients that cancel leave rounding errors, which differ from pass to pass but not in each row.
            rows: dict[Target, Tensor] = {}
            for part in _row_by_row(losses, list(trained)):
                rows.update(zip(part.parameters, part.gradient(w), strict=True))
            compare(parts, G, [rows.get(p) for p in trained], w, trained, eps)
        return parts, G

    def _headed(self, losses: Tensor, heads: Sequence[Head]) -> tuple[list[Part], dict[Parameter, Tensor]]:
        trained = list(self._trained())
        own = checked_heads(heads, len(losses), trained)
        flat = [p for head in own for p in head]
        shared = [p for p in trained if p not in set(flat)]
        parts, gradients = headed_rows(losses, shared, own)
        return parts, {p: g for p, g in zip(flat, gradients, strict=True) if g is not None}


def _row_by_row(losses: Tensor, parameters: list[Parameter]) -> list[Part]:
    with torch.enable_grad():
        flat = losses.flatten()
    return task_rows(flat, parameters)


def _narrowest(graph: Graph, losses: Tensor, trained: dict[Parameter, str]) -> float:
    """Return the largest roundoff of the dtypes that were computed in."""
    within = {dtype for junction in graph.junctions for dtype in junction.signature[3]}
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


def _gramian(parts: list[Part], losses: Tensor) -> Gramian:
    m = losses.numel()
    G = torch.zeros(m, m, dtype=torch.float64, device=losses.device)
    for part in parts:
        G += part.gramian()
    return G


def _jacobian(parts: list[Part], losses: Tensor, parameters: list[Parameter]) -> Jacobian:
    rows = {p: r for part in parts for p, r in zip(part.parameters, part.rows(), strict=True)}
    m, columns = losses.numel(), 0
    J = losses.new_zeros(m, sum(p.numel() for p in parameters))
    for p in parameters:
        if p in rows:
            J[:, columns : columns + p.numel()] = rows[p].reshape(m, -1)
        columns += p.numel()
    return J


def _stacked(losses: Losses) -> Tensor:
    """Return losses as one tensor: numbers one after the other, tensors ``[B]`` as columns."""
    if isinstance(losses, Tensor):
        return losses
    shapes = {loss.shape for loss in losses}
    if len(shapes) != 1:
        got = " and ".join(str(tuple(shape)) for shape in sorted(shapes)) or "none"
        raise InputError(f"losses, required tensors of one shape, got {got}, pass [B] or [B, T]")
    return torch.stack(list(losses), -1)


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
