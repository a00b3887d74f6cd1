"""Trainings whose objectives are a few losses of one model: flat parameters, batches, one gradient a loss."""

from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call

from jdbench.problem import Evaluation, Training, seeded
from jdbench.shapes import Objectives, Vector


class FlatModel:
    """A module as a function of its parameters in one vector.

    Attributes:
        module: The module, whose own parameters are never read again.
        parameters: Its parameters when it was given, flattened in the order of ``named_parameters``, ``[n]``.
    """

    def __init__(self, module: nn.Module) -> None:
        """Keep the module and copy its parameters."""
        self.module = module
        self.shapes = {name: p.shape for name, p in module.named_parameters()}
        self.sizes = [shape.numel() for shape in self.shapes.values()]
        self.parameters = torch.cat([p.detach().reshape(-1) for p in module.parameters()])

    def named(self, x: Vector) -> dict[str, Tensor]:
        """Return the parameters by name, views of ``x``, shape ``[n]``."""
        parts = zip(self.shapes.items(), x.split(self.sizes), strict=True)
        return {name: part.view(shape) for (name, shape), part in parts}

    def __call__(self, x: Vector, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return what the module gives for the inputs with parameters ``x``, shape ``[n]``."""
        return functional_call(self.module, self.named(x), inputs)

    def columns(self, part: str) -> Tensor:
        """Return which entries of the vector belong to a submodule, shape ``[n]``, bool."""
        owned = [
            torch.full((size,), name.startswith(f"{part}."))
            for name, size in zip(self.shapes, self.sizes, strict=True)
        ]
        return torch.cat(owned)


class TaskTraining(Training):
    """SEJD on m losses that share a model: a step's objectives are the m losses of its batch.

    A row of the Jacobian is the gradient with respect to all parameters, shared and private, as [JD]
    A.2 takes it; where a task has a head of its own, the columns of the other heads are zero in its row.
    An epoch is a random order of the examples cut into batches; the remainder of an uneven cut is left out.
    """

    def __init__(
        self, module: nn.Module, size: int, batch_size: int, seed: int, steps_per_epoch: int | None = None
    ) -> None:
        """Flatten the parameters.

        Args:
            module: The model at the start.
            size: Number of training examples.
            batch_size: Examples of a step, 1 to ``size``; ``size`` makes every step see them all, in order.
            seed: Seed of the orders.
            steps_per_epoch: What counts as an epoch; by default the number of batches.
        """
        self.model = FlatModel(module)
        self.parameters = self.model.parameters
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.steps_per_epoch = steps_per_epoch or size // batch_size

    @abstractmethod
    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the m losses of some training examples.

        Args:
            x: Parameters of one model, shape ``[n]``.
            rows: Indices of the examples, shape ``[k]``.

        Returns:
            Differentiable losses, shape ``[m]``.
        """

    def batch(self, step: int) -> Tensor:
        """Return the indices of the examples of a step, shape ``[batch_size]``."""
        if self.batch_size == self.size:
            return torch.arange(self.size)
        epoch, within = divmod(step, self.size // self.batch_size)
        order = _order(self.size, self.seed, epoch)
        return order[within * self.batch_size : (within + 1) * self.batch_size]

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the losses of the batch, ``[b, m]``, and their Jacobian, ``[b, m, n]``."""
        rows = self.batch(step)
        return rowwise(lambda point: self.objectives(point, rows), x)

    def losses(self, x: Vector) -> Tensor:
        """Return the objectives over all training examples, shape ``[b, m]``."""
        rows = torch.arange(self.size)
        with torch.no_grad():
            return torch.stack([self.objectives(point, rows) for point in x])


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
    """Return a module in PyTorch's default initialisation, drawn from a seed, torch's own state left as it is.

    Args:
        build: Makes the module.
        seed: Any integer ≥ 0.

    Returns:
        The module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


@lru_cache(maxsize=64)
def _order(size: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(size, generator=seeded(1_000_003 * seed + epoch))
