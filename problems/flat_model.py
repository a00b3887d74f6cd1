"""A module as a function of one vector of all its parameters, with the Jacobian of whatever losses it gives."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from jdbench.gramian import Engine
from jdbench.problem import Evaluation
from jdbench.shapes import Vector


class FlatModel:
    """A model whose parameters are set from vectors.

    The rows of a Jacobian come from `jdbench.gramian.Engine`: for losses that are separable over instances, one
    forward and one backward pass of the whole batch a task. For a batch of 32 and the networks of [JD] Tables 2
    to 5, on one thread, that takes 1.1 to 1.4 times what the gradient of the mean takes.

    Attributes:
        module: The model.
        parameters: Its parameters at the start, flattened, shape ``[n]``.
    """

    def __init__(self, module: nn.Module) -> None:
        """Take over a module: its parameters change with every call from now on.

        Args:
            module: Any module all of whose parameters are trained.
        """
        self.module = module
        self.parameters = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
        self._engine = Engine(module)

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
        for point in x:
            self._load(point)
            with torch.enable_grad():
                found = losses(self.module)
            jacobians.append(self._engine.jacobian(found, separable=separable))
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

    @torch.no_grad()
    def _load(self, point: Vector) -> None:
        parameters = list(self.module.parameters())
        for p, part in zip(parameters, point.split([p.numel() for p in parameters]), strict=True):
            p.copy_(part.view_as(p))
