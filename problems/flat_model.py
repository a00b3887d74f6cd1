"""A module as a function of one vector of all its parameters, with the Jacobian of whatever losses it gives."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call

from jdbench.engine import Engine
from jdbench.problem import Evaluation
from jdbench.shapes import Objectives, Vector


class FlatModel:
    """A model whose parameters come from vectors.

    Rows of a Jacobian of instance losses come from `jdbench.engine.Engine`, by `evaluation`: one forward and
    one backward pass of the whole batch a task. For a batch of 32 and the networks of [JD] Tables 2 to 5, on
    one thread, that takes 1.1 to 1.4 times what the gradient of the mean takes. A few losses of whole batches
    are cheaper by `rowwise`.

    Attributes:
        module: The model; `evaluation` and `each` leave the parameters of the last point in it.
        parameters: Its parameters at the start, flattened in the order of ``named_parameters``, shape ``[n]``.
    """

    def __init__(self, module: nn.Module) -> None:
        """Take over a module.

        Args:
            module: Any module all of whose parameters are trained.
        """
        self.module = module
        self.parameters = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
        self._shapes = {name: p.shape for name, p in module.named_parameters()}
        self._sizes = [shape.numel() for shape in self._shapes.values()]

    def __call__(self, x: Vector, *inputs: Tensor) -> Tensor:
        """Return the module's one output for the inputs with parameters ``x``, ``[n]``, differentiably."""
        found: object = functional_call(self.module, self._named(x), inputs)
        if not isinstance(found, Tensor):
            name = type(self.module).__name__
            raise TypeError(f"module={name}, required one output, got {type(found).__name__}, call `several`")
        return found

    def several(self, x: Vector, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of a module that gives a tuple, as `__call__` returns a single one."""
        found: object = functional_call(self.module, self._named(x), inputs)
        if not isinstance(found, tuple):
            name = type(self.module).__name__
            raise TypeError(
                f"module={name}, required a tuple, got {type(found).__name__}, call the model itself"
            )
        return found

    def columns(self, part: str) -> Tensor:
        """Return which entries of the vector belong to a submodule, shape ``[n]``, bool."""
        owned = [
            torch.full((size,), name.startswith(f"{part}."))
            for name, size in zip(self._shapes, self._sizes, strict=True)
        ]
        return torch.cat(owned)

    def evaluation(
        self, x: Vector, losses: Callable[[nn.Module], Tensor], *, separable: bool = True
    ) -> Evaluation:
        """Return losses and their Jacobian at each point.

        Args:
            x: Parameters, shape ``[b, n]``.
            losses: Takes the module to losses: of shape ``[B]`` or ``[B, T]`` where loss i depends on instance
                i alone, which is number i of every module's output; or ``[T]`` if not separable.
            separable: Which of the two.

        Returns:
            Losses ``[b, m]`` and Jacobian ``[b, m, n]``, where m is B, B·T (instance by instance) or T.
        """
        values: list[Tensor] = []
        jacobians: list[Tensor] = []
        engine = self._engine
        for point in x:
            self._load(point)
            with torch.enable_grad():
                found = losses(self.module)
            jacobians.append(engine.jacobian(found, separable=separable))
            values.append(found.detach().reshape(-1))
        # One Jacobian, the usual case, is not copied.
        J = jacobians[0].unsqueeze(0) if len(jacobians) == 1 else torch.stack(jacobians)
        return Evaluation(torch.stack(values), J)

    def each(self, x: Vector, measured: Callable[[nn.Module], Tensor]) -> Tensor:
        """Return what is measured of the model at each point, without gradients.

        Args:
            x: Parameters, shape ``[b, n]``.
            measured: Takes the module to a tensor of any shape.

        Returns:
            The results, stacked, shape ``[b, *]``.
        """
        results: list[Tensor] = []
        for point in x:
            self._load(point)
            with torch.no_grad():
                results.append(measured(self.module))
        return torch.stack(results)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self.module)

    def _named(self, x: Vector) -> dict[str, Tensor]:
        parts = zip(self._shapes.items(), x.split(self._sizes), strict=True)
        return {name: part.view(shape) for (name, shape), part in parts}

    @torch.no_grad()
    def _load(self, point: Vector) -> None:
        for p, part in zip(self.module.parameters(), self._named(point).values(), strict=True):
            p.copy_(part)


def rowwise(objectives: Callable[[Vector], Objectives], x: Vector) -> Evaluation:
    """Return values and gradients of m objectives at each point: one forward and m backward passes.

    Args:
        objectives: Differentiable, from ``[n]`` to ``[m]``.
        x: Points, shape ``[b, n]``.

    Returns:
        Values ``[b, m]`` and gradients ``[b, m, n]``.
    """
    values: list[Tensor] = []
    gradients: list[Tensor] = []
    for point in x:
        leaf = point.detach().clone().requires_grad_()
        value = objectives(leaf)
        grads = [torch.autograd.grad(v, leaf, retain_graph=True)[0] for v in value]
        values.append(value.detach())
        gradients.append(torch.stack(grads))
    return Evaluation(torch.stack(values), torch.stack(gradients))


def initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return a module whose initial weights a seed draws, the global generator being left as it was.

    Args:
        build: Makes the module, drawing from torch's global generator.
        seed: Any integer ≥ 0.

    Returns:
        The module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
