"""A step of training on instance losses by five methods, and the Gramian by four ([JD] Sections 3 and 6)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy
from torchjd import autogram, autojac

from benchmarks.peers import MATRIX, peer, peer_weights
from jdbench.aggregator import resolve
from jdbench.data import CLASSES
from jdbench.gramian import Engine
from jdbench.problems.networks import NETWORKS

METHODS = ["SGD", "engine", "autogram", "autojac", "explicit"]
"""Values of the parameter ``method``: SGD on the mean loss, our `Engine`, TorchJD's two, and all of J."""

GRAMIAN_METHODS = METHODS[1:]

RATE = 1e-4
"""Learning rate: so small that the hundredth step costs what the first one does."""

Step = Callable[[], object]


class NetworkTraining:
    """A network with one batch of Gaussian images and random labels, the same in every process.

    Attributes:
        model: The network, float32.
        x: Images, shape ``[batch, c, h, w]``.
        y: Labels, shape ``[batch]``.
        optimizer: Plain SGD.
    """

    def __init__(self, network: str, batch: int, device: str = "cpu") -> None:
        """Build the network out of `NETWORKS` and a batch of images on a device."""
        found = NETWORKS[network]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model: nn.Sequential = found.build().to(device)
            self.x = torch.randn(batch, *found.shape).to(device)
            self.y = torch.randint(0, CLASSES, (batch,)).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), RATE)

    def losses(self) -> Tensor:
        """Return the forward pass: one loss an instance, shape ``[batch]``."""
        return cross_entropy(self.model(self.x), self.y, reduction="none")

    def jacobian(self) -> Tensor:
        """Return all of J, shape ``[batch, n]``, by vmapped gradients."""
        parameters = {name: p.detach() for name, p in self.model.named_parameters()}

        def loss(parameters: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
            return cross_entropy(functional_call(self.model, parameters, image[None]), label[None])

        rows = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, self.x, self.y)
        return torch.cat([g.flatten(1) for g in rows.values()], 1)

    def give(self, direction: Tensor) -> None:
        """Put a direction ``[n]`` into ``.grad``."""
        parameters = list(self.model.parameters())
        for p, part in zip(parameters, direction.split([p.numel() for p in parameters]), strict=True):
            p.grad = part.view_as(p)


def step(method: str, network: str, batch: int, aggregator: str = "UPGrad", device: str = "cpu") -> Step:
    """Return one step of training: forward, backward, aggregation and the optimizer's update.

    Args:
        method: Out of `METHODS`.
        network: Out of `NETWORKS`.
        batch: Number of images.
        aggregator: Our spec; autogram and autojac take TorchJD's of that name.
        device: Where.

    Returns:
        What takes the step.

    Raises:
        ValueError: The method cannot have the aggregator, see `possible`.
    """
    if not possible(method, aggregator):
        raise ValueError(
            f"aggregator={aggregator!r}, required one whose weights depend on the Gramian alone, got "
            f"method={method!r}, use autojac for TorchJD's and explicit for ours"
        )
    training = NetworkTraining(network, batch, device)
    backward = _BACKWARD[method](training, batch, aggregator)

    def take() -> None:
        training.optimizer.zero_grad()
        backward()
        training.optimizer.step()

    return take


def possible(method: str, aggregator: str) -> bool:
    """Return whether a method works with an aggregator: the Gramian is enough for it, or the method has J.

    It does not for the engine with GradDrop, and for autogram with GradDrop and Nash-MTL.
    """
    if method == "engine":
        return aggregator != "GradDrop"
    return method != "autogram" or aggregator not in MATRIX


def gramian_step(method: str, network: str, batch: int, device: str = "cpu") -> Callable[[], Tensor]:
    """Return what computes the losses and the Gramian ``[batch, batch]`` of their Jacobian."""
    training = NetworkTraining(network, batch, device)
    if method == "engine":
        engine = Engine(training.model)
        return lambda: engine.gramian(training.losses())
    if method == "autogram":
        theirs = autogram.Engine(training.model, batch_dim=0)
        return lambda: theirs.compute_gramian(training.losses())

    def from_rows() -> Tensor:
        J = training.jacobian() if method == "explicit" else _autojac_jacobian(training)
        return J @ J.mT

    return from_rows


def _autojac_jacobian(training: NetworkTraining) -> Tensor:
    autojac.backward(training.losses())
    # It leaves on every parameter its columns of J, in an attribute ``jac`` that torch does not know.
    parts: list[Tensor] = [vars(p).pop("jac") for p in training.model.parameters()]
    return torch.cat([part.flatten(1) for part in parts], 1)


def _sgd(training: NetworkTraining, batch: int, aggregator: str) -> Step:  # noqa: ARG001
    return lambda: cross_entropy(training.model(training.x), training.y).backward()


def _engine(training: NetworkTraining, batch: int, aggregator: str) -> Step:  # noqa: ARG001
    engine, ours = Engine(training.model), resolve(aggregator).aggregator
    return lambda: engine.backward(training.losses(), ours)


def _autogram(training: NetworkTraining, batch: int, aggregator: str) -> Step:
    engine, weights = autogram.Engine(training.model, batch_dim=0), peer_weights(aggregator, batch)

    def backward() -> None:
        losses = training.losses()
        losses.backward(weights(engine.compute_gramian(losses)))

    return backward


def _autojac(training: NetworkTraining, batch: int, aggregator: str) -> Step:
    theirs = peer(aggregator, batch)

    def backward() -> None:
        autojac.backward(training.losses())
        autojac.jac_to_grad(training.model.parameters(), theirs)

    return backward


def _explicit(training: NetworkTraining, batch: int, aggregator: str) -> Step:  # noqa: ARG001
    ours = resolve(aggregator).aggregator
    return lambda: training.give(ours(training.jacobian()))


_BACKWARD: dict[str, Callable[[NetworkTraining, int, str], Step]] = {
    "SGD": _sgd,
    "engine": _engine,
    "autogram": _autogram,
    "autojac": _autojac,
    "explicit": _explicit,
}
