"""One call of a module in a forward pass: what its rule needs once the gradient of the output arrives."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn import Parameter
from torch.utils import _pytree as pytree  # pyright: ignore[reportPrivateUsage]

from jdbench.errors import InputError


@final
@dataclass(eq=False)
class Call:
    """A call of a module, without its output and without the graph above it.

    Attributes:
        module: The module.
        path: Its name in the model.
        args: Positional arguments, tensors detached.
        kwargs: Keyword arguments, tensors detached.
        above: Where the graph goes on from the arguments.
        versions: Of every tensor among the arguments, with its version at the call.
        random_states: Of the generators of the CPU and of the device before the call, to draw the same masks
            again; empty if the rule of the module never calls it again.
        autocast: Device type and dtype of the mixed precision that was on, if any.
    """

    module: nn.Module
    path: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    above: list[Node]
    versions: list[tuple[Tensor, int]]
    random_states: list[Tensor]
    autocast: tuple[str, torch.dtype] | None

    @property
    def x(self) -> Tensor:
        """The input: the first argument, positional or not.

        Raises:
            InputError: It was changed in place after the call.
        """
        self.check_unchanged()
        return self.args[0] if self.args else next(iter(self.kwargs.values()))

    def trained(self, name: str) -> Parameter | None:
        """Return the module's own parameter of that name if it is trained.

        Args:
            name: Such as ``"weight"``.

        Returns:
            The parameter, or None where it is absent or frozen.
        """
        p = getattr(self.module, name, None)
        return p if isinstance(p, Parameter) and p.requires_grad else None

    def check_unchanged(self) -> None:
        """Raise if an argument was changed in place since the call.

        Raises:
            InputError: It was.
        """
        if any(t._version != version for t, version in self.versions):
            raise InputError(
                f"module={self.path!r}, required inputs that stay as they were, got one changed in place after "
                "the call, replace the in-place operation"
            )


def record(
    module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], random_states: list[Tensor]
) -> Call:
    """Return the record of a call that has just been made.

    Args:
        module: The module.
        path: Its name in the model.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        random_states: What `random_states` returned before the call, or nothing.

    Returns:
        The record, which keeps the arguments alive but not their graph.
    """
    # Most modules take one tensor.
    plain = not kwargs and all(isinstance(arg, Tensor) for arg in args)
    leaves, spec = (list(args), None) if plain else pytree.tree_flatten((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    above = [t.grad_fn for t in tensors if t.grad_fn is not None]
    leaf_inputs = [t for t in tensors if t.requires_grad and t.grad_fn is None]
    above += [torch.autograd.graph.get_gradient_edge(t).node for t in leaf_inputs]
    detached = [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    versions = [(leaf, leaf._version) for leaf in detached if isinstance(leaf, Tensor)]
    args, kwargs = (tuple(detached), kwargs) if spec is None else pytree.tree_unflatten(detached, spec)
    return Call(module, path, args, kwargs, above, versions, random_states, _autocast(tensors))


def _autocast(tensors: list[Tensor]) -> tuple[str, torch.dtype] | None:
    device = tensors[0].device.type if tensors else "cpu"
    return (device, torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else None


def random_states(device: torch.device) -> list[Tensor]:
    """Return the states of the generator of the CPU and of that of the device.

    Args:
        device: Where the module is.

    Returns:
        One or two states.
    """
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states
