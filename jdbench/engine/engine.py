"""Gramian-based Jacobian descent for any torch model: one forward and one backward pass ([JD] Section 6).

For losses that are separable over instances, the gradients of all losses with respect to all parameters follow
from what enters the operations that take parameters and from the gradients δ of their outputs, and one
backward pass gives the δ of all instances at once. The Gramian is summed parameter by parameter, (12); once
the weights w are known, Jᵀw = ∇(wᵀf), (10), comes from the same two scaled by w.

What was computed is read from the autograd graph of the losses, so that no module is ever called again: states,
random numbers, hooks, containers and replaced forwards are what they were.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast, final

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from jdbench.engine.aggregation import AggregatorLike, chosen_aggregator, direction_or_weights, weighting_of
from jdbench.engine.known_graphs import KnownGraphs
from jdbench.engine.losses import Losses, check_losses, full_precision, stack_losses
from jdbench.engine.parts import Part, Target, gramian_of, jacobian_of
from jdbench.engine.separable import Check, separable_parts
from jdbench.engine.task_rows import Head, checked_heads, headed_rows, task_rows
from jdbench.errors import InputError
from jdbench.shapes import Gramian, Jacobian, Weights

KEPT = 31 * 2**20
"""Bytes of a block that is freed once, so that smaller ones stay, 62 MiB of them together at most."""


@final
class Engine:
    """Gramians of losses with respect to the trained parameters of a model, and their aggregated gradient.

    Losses come in three kinds; row k of J is the gradient of the k-th.

    ``[B]``, one an instance: 1 backward pass. That loss i depends on instance i alone is the caller's promise.

    ``[B, T]``, one an instance and task: T passes; the rows are (0, 0), (0, 1), …, (B-1, T-1).

    ``[T]`` with ``separable=False``: T passes, and the Jacobian is held in memory.

    Where a parameter meets the data, the places of the instances along an axis are read off the gradients when
    a structure is met for the first time, by two light backward passes more, and recalled afterwards;
    instances need not come first. Several places of each along an axis, as in ``[B·T, n]``, are recalled where
    the graph says why, such as by ``[B, T, n].flatten(0, 1)``. Otherwise, as with ragged batches, and where
    places follow no rule, as with tokens that go to experts or random orders, they are read in every step, by
    two passes to five. If instances mix, the module is named and refused.

    Operations without a closed form have their own derivative taken with the gradient of one instance at a
    time, B times its work, in one batch where torch can batch it, otherwise one after the other. What follows
    from parameters alone, such as a normalised weight, gets per-instance gradients of its own, which are taken
    back to the parameters.

    ``check="first"`` compares Jᵀw and wᵀGw for a random w with one more ordinary backward pass, each parameter
    by itself and to half of the digits, at uses 1, 2, 4, 8, … of every structure: operations, parameters,
    which axes count instances, axes that operations work along, dtypes, training flags, kind of losses.
    ``check=True`` does so always. In between it may miss instances that change places within one structure
    other than by index tensors, rolls, pieces or the order of a loop, which are compared; and it may miss what
    is below half of the digits. Neither sees what makes the graph itself wrong: a custom function whose
    backward is no derivative, or ``.data`` written between the passes. A checked step takes about half a step
    more, and holds the graph and all parts beside each other: up to 1.65 times the memory of another
    (``python -m benchmarks.engine_checks``).

    Hooks on parameters see Jᵀw once, as torch's backward shows it; G does not know of them, nor do closed
    forms of hooks on nodes of the graph (``grad_fn.register_hook``). Hooks on modules and on tensors in
    between count, and are called in every pass; so what ``retain_grad()`` keeps is the sum over all.

    The Gramian is float64. The products of float64 gradients are float64 throughout; those of narrower ones
    err by at most γ‖gᵢ‖‖gⱼ‖ in the γ of float32 and of the layer's places plus 1024, whatever the norms: a
    power of two is taken out of each row where squares would leave the range of float32.

    Attributes:
        model: The model.

    Example:
        >>> import torch
        >>> from jdbench.engine import Engine
        >>> model = torch.nn.Linear(2, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(model.weight)
        >>> inputs, targets = torch.tensor([[1.0, 0.0], [-1.0, 1.0]]), torch.tensor([-4.0, -1.0])
        >>> losses = (model(inputs).flatten() - targets).square() / 2  # gradients (4, 0) and (-1, 1)
        >>> Engine(model).backward(losses, "UPGrad").round(decimals=3)
        tensor([0.6250, 1.5000], dtype=torch.float64)
        >>> model.weight.grad.round(decimals=3)  # Jᵀw, which conflicts with neither
        tensor([[1.0000, 1.5000]])
    """

    def __init__(self, model: nn.Module) -> None:
        """Set the model; nothing is hooked onto it, and graphs made before will do.

        Args:
            model: Any module.

        Raises:
            InputError: It is none.
        """
        if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"model, required a torch.nn.Module, got {type(model).__name__}, wrap what is trained"
            )
        self.model = model
        keep_freed_memory()
        self._known = KnownGraphs(model)
        self._named: dict[str, Any] = {}

    def remove(self) -> None:
        """Forget what was learnt of the model, on which nothing is hooked."""
        self._known = KnownGraphs(self.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def gramian(self, losses: Losses, *, separable: bool = True, check: Check = "first") -> Gramian:
        """Return G = JJᵀ ([JD] eq. 12 over the layers). The graph of the losses is kept.

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable, ``[T]``; or a sequence of them.
            separable: Whether each loss depends on one instance alone.
            check: When to compare with an ordinary backward pass.

        Returns:
            Shape ``[m, m]`` with m the number of losses, float64.

        Raises:
            InputError: The losses have no graph or another shape, a module mixes instances, torch cannot go
                through the graph, or the check fails.
        """
        losses = stack_losses(losses)
        check_losses(losses, separable)
        with full_precision(losses), torch.no_grad():
            parts, G = self._parts(losses, separable, check, retain_graph=True)
            return gramian_of(parts, losses) if G is None else G

    def jacobian(self, losses: Losses, *, separable: bool = True, check: Check = "first") -> Jacobian:
        """Return J itself, for as little as `gramian` costs. The graph of the losses is kept.

        Args:
            losses: Shape ``[B]``, ``[B, T]`` or, if not separable, ``[T]``; or a sequence of them.
            separable: Whether each loss depends on one instance alone.
            check: When to compare with an ordinary backward pass.

        Returns:
            Shape ``[m, n]``, of the losses' dtype: gradients in rows, with respect to the trained parameters in
            the model's order, flattened; zero where a loss does not depend on one.

        Raises:
            InputError: As `gramian`.
        """
        losses = stack_losses(losses)
        check_losses(losses, separable)
        with full_precision(losses), torch.no_grad():
            parts, _ = self._parts(losses, separable, check, retain_graph=True)
            return jacobian_of(parts, losses, list(self._trained()))

    def backward(
        self,
        losses: Losses,
        aggregator: AggregatorLike,
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
            aggregator: One with ``weights(G, generator=…)``, such as any `GramianAggregator`, or TorchJD's:
                J is not formed. Any other callable of J, which is. Or the spec of one, such as ``"UPGrad"``.
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
        chosen = self._chosen(aggregator)
        losses = stack_losses(losses)
        separable = separable and heads is None
        check_losses(losses, separable)
        with full_precision(losses), torch.no_grad():
            if heads is None:
                (parts, G), own = self._parts(losses, separable, check, retain_graph=False), {}
            else:
                (parts, own), G = self._headed(losses, heads), None
            gradients: dict[Target, Tensor] = {**own}
            weighted, w = weighting_of(chosen), None
            if weighted is None:
                parameters = [p for p in self._trained() if p not in own]
                J = jacobian_of(parts, losses, parameters)
                direction, w = direction_or_weights(chosen, J, generator)
                if direction is not None:
                    sizes = [p.numel() for p in parameters]
                    shares = zip(parameters, direction.split(sizes), strict=True)
                    gradients.update((p, d.view(p.shape)) for p, d in shares)
            else:
                w = weighted(gramian_of(parts, losses) if G is None else G, generator)
            while w is not None and parts:  # popped one by one, so that each can be let go
                part = parts.pop()
                gradients.update(zip(part.parameters, part.gradient(w), strict=True))
        parameters = cast("list[Parameter]", list(gradients))
        found = [g.to(p.dtype) for p, g in zip(parameters, gradients.values(), strict=True)]
        # Torch itself adds them, with all that is hooked onto the accumulation.
        torch.autograd.backward(parameters, found)
        return None if w is None else w.view_as(losses)

    def _chosen(self, aggregator: AggregatorLike) -> Any:
        if not isinstance(aggregator, str):
            return chosen_aggregator(aggregator)
        if aggregator not in self._named:  # once, so that it may keep a state
            self._named[aggregator] = chosen_aggregator(aggregator)
        return self._named[aggregator]

    def _trained(self) -> dict[Parameter, str]:
        trained = {p: name for name, p in self.model.named_parameters() if p.requires_grad}
        if found := next((name for p, name in trained.items() if p.is_complex()), None):
            raise InputError(
                f"parameter={found!r}, required real parameters, got complex ones, whose gradients make no "
                "real Jacobian, keep their torch.view_as_real as the parameter"
            )
        if not trained:
            raise InputError("model, required trained parameters, got none, set requires_grad")
        return trained

    def _parts(
        self, losses: Tensor, separable: bool, check: Check, *, retain_graph: bool
    ) -> tuple[list[Part], Gramian | None]:
        if check not in {"first", True, False}:
            raise InputError(f"check={check!r}, required 'first', True or False, got another, leave it out")
        trained = self._trained()
        if not separable:
            return task_rows(losses, list(trained)), None
        return separable_parts(losses, trained, self._known, check, retain_graph=retain_graph)

    def _headed(self, losses: Tensor, heads: Sequence[Head]) -> tuple[list[Part], dict[Parameter, Tensor]]:
        trained = list(self._trained())
        own = checked_heads(heads, len(losses), trained)
        flat = [p for head in own for p in head]
        shared = [p for p in trained if p not in set(flat)]
        parts, gradients = headed_rows(losses, shared, own)
        return parts, {p: g for p, g in zip(flat, gradients, strict=True) if g is not None}


def keep_freed_memory() -> None:
    """Let the heap of the GNU C library keep blocks of up to 31 MiB that are freed. The peak is what it was.

    Per-instance gradients and activations take megabytes, are freed in every step and asked for in the next.
    By default such blocks go back to the operating system, which hands them out again page by page, zeroed: a
    fifth of a step on a CPU. How much the library keeps follows the largest block, of at most 32 MiB, that was
    ever freed. Nothing happens where the C library is another, or the environment variable
    MALLOC_TRIM_THRESHOLD_ is set.
    """
    torch.empty(KEPT, dtype=torch.uint8)  # freed at once; pages that nobody writes to are never fetched
