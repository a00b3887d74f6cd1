"""The training problems of several tasks and of adversaries, with their losses written out a second time."""

import torch
from torch import Tensor, nn

from jdbench.aggregator import AnyAggregator
from jdbench.aggregators import Mean
from jdbench.descent.loop import State, descend
from jdbench.descent.optimizers import Descent
from jdbench.problem import resolve_problem, seeded
from jdbench.problems.task_training import TaskTraining

SPECS = (
    "MultiDigits",
    "Linnerud",
    "DiabetesPanel",
    "CompetingTasks(cosine=-0.5,scale=10.0)",
    "DomainAdversarial-digits(strength=0.5)",
    "AdversarialFairness(strength=2.0)",
    "GAN-ring",
    "GAN-ring(rows='all')",
)

LONGEST = 16 * 64
"""Roundings of an entry on its way: sums over at most 64 examples or inputs, in 16 layers there and back."""


def training(spec: str, seed: int = 1) -> TaskTraining:
    made = resolve_problem(spec).training(seed)
    assert isinstance(made, TaskTraining)
    return made


def points(task: TaskTraining, count: int, seed: int = 0) -> Tensor:
    """The start and points around it, shape [count, n]."""
    shape = (count - 1, len(task.parameters))
    noise = torch.randn(shape, dtype=task.parameters.dtype, generator=seeded(seed))
    return torch.cat([task.parameters.unsqueeze(0), task.parameters + 0.05 * noise])


def descended(task: TaskTraining, rate: float, epochs: int, aggregator: AnyAggregator | None = None) -> Tensor:
    """End of a run with Mean, shape [1, n]."""
    start = task.parameters.unsqueeze(0)
    outcome = descend(
        start,
        lambda x, _members, step: task.evaluate(x, step),
        aggregator or Mean(),
        Descent(torch.tensor([rate], dtype=torch.float64)),
        epochs * task.steps_per_epoch,
    )
    assert outcome.states == [State.FINISHED]
    return outcome.x


def written_out(task: TaskTraining, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Losses and Jacobian of one point from the module itself, torch's own losses and a backward pass each."""
    module = task.model.module
    nn.utils.vector_to_parameters(x, module.parameters())
    pairs = PAIRS[type(task).__name__](task, module, rows)
    values = torch.stack([loss.detach() for loss, _ in pairs])
    return values, torch.stack([_row(module, loss, signs) for loss, signs in pairs])


def _row(module: nn.Module, loss: Tensor, signs: dict[str, float]) -> Tensor:
    module.zero_grad()
    loss.backward(retain_graph=True)
    parts = []
    for name, parameter in module.named_parameters():
        factor = signs.get(name.partition(".")[0], 1.0)
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        parts.append(factor * gradient.reshape(-1))
    return torch.cat(parts)


def _overlaid(task, module, rows):
    features = module.trunk(task.images[rows])
    heads = (module.left, module.right)
    return [
        (nn.CrossEntropyLoss()(head(features), labels), {})
        for head, labels in zip(heads, task.labels[:, rows], strict=True)
    ]


def _regression(task, module, rows):
    guesses, targets = module(task.features[rows]), task.targets[rows]
    return [(nn.MSELoss()(guesses[:, k], targets[:, k]), {}) for k in range(targets.shape[1])]


def _competing(task, module, rows):
    h = module(task.inputs[rows])[:, 0]
    scales = (1.0, task.scale)
    return [(s * nn.MSELoss()(h, y[rows]) / 2, {}) for s, y in zip(scales, task.targets, strict=True)]


def _domain(task, module, rows):
    # No reversal here: the sign is put to the trunk's columns afterwards.
    source, target = module.trunk(task.source[0][rows]), module.trunk(task.target[0][rows])
    label = nn.CrossEntropyLoss()(module.head(source), task.source[1][rows])
    log_sigmoid = nn.functional.logsigmoid
    domain = -(log_sigmoid(-module.adversary(source)).mean() + log_sigmoid(module.adversary(target)).mean()) / 2
    return [(label, {}), (domain, {"trunk": -module.strength})]


def _fairness(task, module, rows):
    features = module.trunk(task.train.features[rows])
    label = nn.BCELoss()(module.head(features).sigmoid()[:, 0], task.train.labels[rows])
    group = nn.BCELoss()(module.adversary(features).sigmoid()[:, 0], task.train.groups[rows])
    return [(label, {}), (group, {"trunk": -module.strength})]


def _game(task, module, rows):
    made = module.discriminator(module.generator(task.latent[rows])).sigmoid()
    odds = module.discriminator(task.real[rows])
    real, bce = odds.sigmoid(), nn.BCELoss()
    slopes = torch.func.vmap(torch.func.jacrev(module.discriminator))(task.real[rows])[:, 0]
    penalty = (slopes**2).sum(-1).mean() / 4
    discriminator = bce(real, torch.ones_like(real)) + bce(made, torch.zeros_like(made)) + penalty
    own = not bool(task.kept.all())
    return [
        (discriminator, {"generator": 0.0} if own else {}),
        (bce(made, torch.ones_like(made)), {"discriminator": 0.0} if own else {}),
    ]


PAIRS = {
    "OverlaidTraining": _overlaid,
    "RegressionTraining": _regression,
    "CompetingTraining": _competing,
    "DomainTraining": _domain,
    "FairnessTraining": _fairness,
    "GameTraining": _game,
}
