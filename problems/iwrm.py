"""Instance-wise risk minimisation: the loss of every training example is an objective ([JD] Section 3)."""

from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from jdbench.errors import InputError
from jdbench.problem import Evaluation, Training, TrainingProblem, seeded
from jdbench.shapes import Vector


class InstanceTraining(Training):
    """SSJD on the instance losses of a classifier: the objectives of a step are those of its batch.

    An epoch is a random order of the examples cut into batches; the remainder of an uneven cut is left out.
    """

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, batch_size: int, seed: int) -> None:
        """Flatten the model's parameters and keep the examples.

        Args:
            model: A classifier that does not mix instances.
            images: Examples, shape ``[N, C, H, W]``.
            labels: Classes, shape ``[N]``, int64.
            batch_size: Number of objectives of a step.
            seed: Seed of the orders.
        """
        self.model = model
        self.images, self.labels = images, labels
        self.batch_size = batch_size
        self.steps_per_epoch = len(labels) // batch_size
        self.seed = seed
        self.shapes = {name: p.shape for name, p in model.named_parameters()}
        self.parameters = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def batch(self, step: int) -> Tensor:
        """Return the indices of the examples of a step, shape ``[batch_size]``."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = _order(len(self.labels), self.seed, epoch)
        return order[within * self.batch_size : (within + 1) * self.batch_size]

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the cross-entropies of the batch, ``[b, m]``, and their Jacobian, ``[b, m, n]``."""
        rows = self.batch(step)
        images, labels = self.images[rows], self.labels[rows]
        per_instance = vmap(grad_and_value(self._instance_loss), in_dims=(None, 0, 0))
        gradients, losses = zip(*(per_instance(point, images, labels) for point in x), strict=True)
        return Evaluation(torch.stack(losses), torch.stack(gradients))

    def losses(self, x: Vector) -> Tensor:
        """Return the cross-entropies of all examples, shape ``[b, N]``."""
        with torch.no_grad():
            return torch.stack([self._losses(point, self.images, self.labels) for point in x])

    def _instance_loss(self, x: Tensor, image: Tensor, label: Tensor) -> Tensor:
        return self._losses(x, image.unsqueeze(0), label.unsqueeze(0)).squeeze(0)

    def _losses(self, x: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        sizes = [shape.numel() for shape in self.shapes.values()]
        parts = zip(self.shapes.items(), x.split(sizes), strict=True)
        logits = functional_call(self.model, {name: part.view(shape) for (name, shape), part in parts}, images)
        return nn.functional.cross_entropy(logits, labels, reduction="none")


class DigitsInstances(TrainingProblem):
    """IWRM on handwritten digits, a batch of 32 of 1024 real images of 8 × 8 pixels.

    The images are scikit-learn's 1797, of which the seed draws 1024. The network follows the paper's
    (convolutions 3 × 3 without padding, ELU, max-pooling, two linear layers; [JD] Appendix D.3), cut down to
    8 × 8 pixels: 3,658 parameters in PyTorch's default initialisation. Images are normalised by mean and
    standard deviation of the whole set ([JD] D.6). float32, as in the paper.
    """

    family: ClassVar[str] = "instance-wise risk minimisation"
    source: ClassVar[str] = "[JD] Section 3; UCI optical digits as shipped by scikit-learn"
    quick: ClassVar[bool] = True
    SUBSET: ClassVar[int] = 1024

    def __init__(self, batch_size: int = 32) -> None:
        """Set the number of objectives.

        Args:
            batch_size: Examples in a batch, 1 to 1024; 32 as in [JD] Section 5.

        Raises:
            InputError: The batch size is not within 1 to 1024.
        """
        if not 1 <= batch_size <= self.SUBSET:
            raise InputError(f"batch_size={batch_size}, required 1 to {self.SUBSET}, got another, try 32")
        self.batch_size = batch_size

    def training(self, seed: int) -> InstanceTraining:
        """Return the training of run ``seed``: its subset, initial weights and batches."""
        images, labels = _digits()
        subset = torch.randperm(len(labels), generator=seeded(seed))[: self.SUBSET]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _network()
        return InstanceTraining(model, images[subset], labels[subset], self.batch_size, seed)


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ELU(),
        nn.Conv2d(8, 16, 3),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ELU(),
        nn.Linear(32, 10),
    )


@lru_cache(maxsize=1)
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).to(torch.float32).unsqueeze(1)
    return (images - images.mean()) / images.std(), torch.from_numpy(bunch.target).to(torch.int64)


@lru_cache(maxsize=64)
def _order(size: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(size, generator=seeded(1_000_003 * seed + epoch))
