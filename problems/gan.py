"""A GAN on a mixture of eight Gaussians in the plane, both players' losses as objectives."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.problem import Evaluation, Measure, TrainingProblem, seeded
from jdbench.problems.flat_model import initialised
from jdbench.problems.task_training import TaskTraining
from jdbench.shapes import Objectives, Vector

MODES = 8
DEVIATION = 0.1
"""Standard deviation of each of the Gaussians, whose centres are evenly spaced on the unit circle."""
LATENT = 4
PENALTY = 0.5
"""γ of the discriminator's penalty γ/2 E‖∇ log-odds D(real)‖² (Mescheder et al. 2018)."""
ROWS = ("all", "own")


class Players(nn.Module):
    """A generator of points of the plane and a discriminator."""

    def __init__(self) -> None:
        """Draw both from torch's generator."""
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(LATENT, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 2)
        )
        self.discriminator = nn.Sequential(
            nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
        )

    def forward(self, latent: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Return points made of ``latent``, and the discriminator's logits of them and then of ``real``."""
        made = self.generator(latent)
        return made, self.discriminator(torch.cat([made, real])).squeeze(-1)


class GameTraining(TaskTraining):
    """The discriminator's and the generator's loss of a batch of real points and latent draws."""

    def __init__(self, rows: str, seed: int, size: int, batch_size: int) -> None:
        """Draw real points, latent points and those that judge.

        Args:
            rows: ``all`` or ``own`` columns.
            seed: Of all draws.
            size: Number of real points, and of latent ones, to train on.
            batch_size: Of both in a step.
        """
        super().__init__(initialised(Players, seed), size, batch_size, seed)
        generator = seeded(seed)
        self.real, self.latent = mixture(size, generator), torch.randn(size, LATENT, generator=generator)
        self.judges, self.judged = mixture(256, generator), torch.randn(256, LATENT, generator=generator)
        self.test_real, self.test_latent = (
            mixture(1024, generator),
            torch.randn(1024, LATENT, generator=generator),
        )
        own = torch.stack([self.model.columns("discriminator"), self.model.columns("generator")])
        self.kept = own if rows == "own" else torch.ones_like(own)

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the discriminator's loss with its penalty, and the generator's, shape ``[2]``."""
        softplus = nn.functional.softplus
        # The penalty is on a derivative, also where the caller wants none.
        with torch.enable_grad():
            points = self.real[rows].clone().requires_grad_()
            made, real = self.model.several(x, self.latent[rows], points)[1].chunk(2)
            (slopes,) = torch.autograd.grad(real.sum(), points, create_graph=True)
            cross_entropy = softplus(-real).mean() + softplus(made).mean()
            penalty = PENALTY / 2 * slopes.square().sum(-1).mean()
        return torch.stack([cross_entropy + penalty, softplus(-made).mean()])

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return both losses and their gradients, in the columns that are kept."""
        values, J = super().evaluate(x, step)
        return Evaluation(values, J * self.kept)

    def made(self, x: Vector, latent: Tensor) -> Tensor:
        """Return the generator's points, shape ``[b, k, 2]``."""
        with torch.no_grad():
            return torch.stack([self.model.several(point, latent, latent.new_zeros(0, 2))[0] for point in x])

    def loss(self, x: Vector) -> Tensor:
        """Return the energy distance of 256 generated points to 256 real ones, both fixed, shape ``[b]``."""
        return energy_distance(self.made(x, self.judged), self.judges)

    def held_out(self, x: Vector) -> Tensor:
        """Return the number of modes covered and the energy distance on other points, shape ``[b, 2]``."""
        made = self.made(x, self.test_latent)
        return torch.stack([modes_covered(made), energy_distance(made, self.test_real)], -1)


class GaussianRingGAN(TrainingProblem):
    """A GAN on eight Gaussians on a circle: the losses of discriminator and generator are two objectives.

    Two networks with two hidden layers of 32 leaky rectified units each, float32; latent points from R⁴. The
    seed draws 4096 real and 4096 latent points, batches of 64. f₁ = -E log D(real) - E log(1 - D(made)) + R,
    f₂ = -E log D(made), the loss that does not saturate (Goodfellow et al. 2014). R is the penalty on the
    discriminator's slope at real points with which the game settles instead of going in circles
    (Mescheder et al. 2018): without it gradient descent passes good generators and leaves them again.

    [JD] Section 3 proposes to formulate a GAN as multi-objective optimisation and to train both players
    jointly. Two readings of its Jacobian, ``[2, n]``, are offered:

    - ``rows='own'``, the game: each loss is differentiated by its own player's parameters alone. Rows
      are orthogonal, so no two gradients conflict, an aggregator can but weigh the players, and every
      projection onto the dual cone gives what Mean gives: simultaneous gradient descent.
    - ``rows='all'``, the vector-valued function: f is differentiated by all parameters, as the definition of
      a Jacobian wants. Each player may then give way to the other. Mean descends f₁ + f₂, whose
      cross-entropies are least at D(real) = 1 and D(made) = ½: it does not pay that made points look real.

    The game is the default and what benchmarks run: it is what is meant by training a GAN, and its energy
    distance falls. In the other reading no direction that serves both players needs the generator to resemble
    the mixture: under Mean and under UPGrad the energy distance rises severalfold. The criterion is the energy
    distance, 2E|X - Y| - E|X - X'| - E|Y - Y'|, of 256 generated points to 256 real ones.

    Example:
        >>> from jdbench.problems.gan import GaussianRingGAN
        >>> training = GaussianRingGAN(rows="own").training(seed=1)
        >>> g = training.evaluate(training.parameters.unsqueeze(0), step=0).jacobian[0]
        >>> float(g[0] @ g[1])  # no column belongs to both players
        0.0
    """

    family: ClassVar[str] = "adversarial"
    source: ClassVar[str] = "[JD] Section 3; Goodfellow et al. 2014; penalty of Mescheder et al. 2018"

    def __init__(self, rows: str = "own") -> None:
        """Choose the columns.

        Args:
            rows: ``own`` or ``all``.

        Raises:
            InputError: Neither of them.
        """
        if rows not in ROWS:
            raise InputError(f"rows={rows!r}, required one of {', '.join(ROWS)}, got another, try 'own'")
        self.rows = rows
        self.measures = (Measure("modes covered", True), Measure("energy distance", False))

    def training(self, seed: int) -> GameTraining:
        """Return the training of run ``seed``: its points, initial weights and batches."""
        return GameTraining(self.rows, seed, 4096, 64)


def centres() -> Tensor:
    """Return the centres of the Gaussians, shape ``[8, 2]``."""
    angles = 2 * math.pi * torch.arange(MODES) / MODES
    return torch.stack([angles.cos(), angles.sin()], -1)


def mixture(count: int, generator: torch.Generator) -> Tensor:
    """Return points of the mixture, float32, shape ``[count, 2]``."""
    which = torch.randint(MODES, (count,), generator=generator)
    return centres()[which] + DEVIATION * torch.randn(count, 2, generator=generator)


def energy_distance(made: Tensor, real: Tensor) -> Tensor:
    """Return 2E|X - Y| - E|X - X'| - E|Y - Y'| of two samples, at least 0 (Székely & Rizzo 2013).

    Args:
        made: Samples, shape ``[b, k, 2]``.
        real: One sample, shape ``[l, 2]``.

    Returns:
        Distances, shape ``[b]``.
    """

    def mean(a: Tensor, b: Tensor) -> Tensor:
        # Differences, not inner products: those lose the small distances to cancellation.
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").mean((-2, -1))

    return 2 * mean(made, real) - mean(made, made) - mean(real, real)


def modes_covered(made: Tensor) -> Tensor:
    """Return to how many centres at least 2 % of the points are nearer than three deviations.

    Args:
        made: Samples, shape ``[b, k, 2]``.

    Returns:
        Numbers 0 to 8, shape ``[b]``.
    """
    near = torch.cdist(made, centres().to(made)) < 3 * DEVIATION
    return (near.to(made).mean(-2) >= 0.02).to(made).sum(-1)
