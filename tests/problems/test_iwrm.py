"""Instance-wise training: subsets of real images, normalised; a batch equals a loop; held-out measures."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jdbench.data import DATASETS, absence, dataset
from jdbench.errors import InputError, UnknownNameError
from jdbench.problem import TrainingProblem, available_problems, resolve_problem
from jdbench.problems.flat_model import FlatModel
from jdbench.problems.images import split
from jdbench.problems.instance_training import InstanceTraining, accuracy
from jdbench.problems.iwmtl import task_losses, task_scores
from jdbench.rounding import gamma

SUMMED = 16 * 64
"""Positions that one entry of a gradient sums, at most."""

PARAMETERS = {
    "svhn": 34_570,
    "cifar10": 134_666,
    "eurosat": 134_666,
    "mnist": 130_890,
    "fashion_mnist": 130_890,
    "kmnist": 130_890,
}


def problem(spec: str) -> TrainingProblem:
    resolved = resolve_problem(spec)
    assert isinstance(resolved, TrainingProblem)
    return resolved


def training(spec: str, seed: int = 1) -> InstanceTraining:
    made = problem(spec).training(seed)
    assert isinstance(made, InstanceTraining)
    return made


def present(name: str) -> str:
    if absence(name):
        pytest.skip(f"{name}: no file; set JDBENCH_DATA or run `jdbench data prepare {name}`")
    return name


@pytest.fixture(params=list(DATASETS))
def name(request: pytest.FixtureRequest) -> str:
    return present(request.param)


def test_all_are_announced_and_listed_without_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", "/nowhere/at/all")
    announced = {f"IWRM-{name}" for name in (*DATASETS, "digits")} | {"IWMTL-digits"}
    assert announced <= set(available_problems())
    for spec in announced:
        found = problem(spec)
        assert bool(found.absence()) == (not spec.endswith("digits"))
        assert found.quick == (spec == "IWRM-digits")


def test_keywords_and_names_are_checked() -> None:
    assert len(training("IWMTL-digits(batch_size=5)").batch(0)) == 5
    with pytest.raises(InputError, match="batch_size=1025, required an integer from 1 to 1024"):
        problem("IWRM-mnist(batch_size=1025)")
    with pytest.raises(UnknownNameError, match="did you mean kmnist"):
        problem("jdbench.problems.iwrm:ImageInstances(data='kmist')")


def as_rows(images: Tensor) -> Tensor:
    """Return the images as rows in lexicographic order."""
    return images.flatten(1).unique(dim=0, sorted=True)


def test_digits_are_cut_into_1024_and_773_others_of_the_whole_normalised_set() -> None:
    seen, unseen = split("digits", 3)
    assert (len(seen.targets), len(unseen.targets)) == (1024, 773)
    both = torch.cat([seen.inputs, unseen.inputs])
    labels = torch.from_numpy(dataset("digits").labels.copy())
    assert torch.equal(torch.cat([seen.targets, unseen.targets]).bincount(), labels.bincount())
    # Sums of 1797 · 64 pixels; the deviation is the unbiased one.
    assert abs(float(both.mean())) < gamma(1797 * 64, torch.float32)
    assert abs(float(both.std()) - 1) < gamma(1797 * 64, torch.float32)
    pixels = torch.from_numpy(dataset("digits").images.copy()).flatten(1)
    scale = pixels.float().std()
    restored = (both * scale + pixels.float().mean()).round().to(torch.uint8)
    assert torch.equal(as_rows(restored), as_rows(pixels))


def test_a_subset_and_what_is_held_out_are_different_images_of_the_file(name: str) -> None:
    known, (images, _) = DATASETS[name], dataset(name)
    seen, unseen = split(name, 1)
    assert len(seen.targets) == 1024
    assert len(unseen.targets) == min(2048, len(images) - 1024)
    assert seen.inputs.shape[1:] == (known.shape[2], *known.shape[:2])
    assert seen.inputs.dtype == torch.float32
    both = torch.cat([seen.inputs, unseen.inputs])
    assert len(both.flatten(1).unique(dim=0)) == len(both)  # no file holds two equal images
    mean, deviation = (torch.tensor(v).view(-1, 1, 1) for v in (known.mean, known.deviation))
    pixels = (255 * (both[:20] * deviation + mean)).movedim(1, -1)
    nearest = pixels.round()
    assert float((pixels - nearest).abs().max()) <= gamma(8, torch.float32) * 255 * 8  # up to 8 deviations
    in_file = {image.tobytes() for image in images}
    assert all(image.to(torch.uint8).numpy().tobytes() in in_file for image in nearest)


def test_published_mean_and_deviation_are_those_of_a_sample_of_the_split(name: str) -> None:
    """Five standard errors; SVHN's 1083 images show 499 photographs, so they count as 499."""
    known, images = DATASETS[name], dataset(name).images
    x = images.astype(np.float32) / 255
    size = 499 if name == "svhn" and len(x) == 1083 else len(x)
    per_image = x.mean((1, 2), dtype=np.float64)
    squares = np.square(x - np.float32(known.mean)).mean((1, 2), dtype=np.float64)
    rounding = 5e-5  # of the four digits quoted
    assert (np.abs(per_image.mean(0) - known.mean) < 5 * per_image.std(0) / size**0.5 + rounding).all()
    variance = np.square(known.deviation)
    assert (np.abs(squares.mean(0) - variance) < 5 * squares.std(0) / size**0.5 + 2 * rounding).all()


def loop(made: InstanceTraining, step: int, count: int) -> tuple[Tensor, Tensor]:
    """Return losses and gradients of the first examples of a step, one by one."""
    module, (images, labels), rows = made.model.module, made.examples, made.batch(step)
    torch.nn.utils.vector_to_parameters(made.parameters.clone(), module.parameters())
    losses, gradients = [], []
    for row in rows[:count]:
        loss = nn.functional.cross_entropy(module(images[row : row + 1]), labels[row : row + 1])
        found = torch.autograd.grad(loss, list(module.parameters()))
        losses.append(loss.detach())
        gradients.append(torch.cat([g.reshape(-1) for g in found]))
    return torch.stack(losses), torch.stack(gradients)


def test_a_step_is_a_loop_over_its_images(name: str) -> None:
    made = training(f"IWRM-{name}")
    values, J = made.evaluate(made.parameters[None], 2)
    assert values.shape == (1, 32)
    assert J.shape == (1, 32, PARAMETERS[name])
    losses, gradients = loop(made, 2, 4)
    torch.testing.assert_close(values[0, :4], losses, rtol=gamma(SUMMED, torch.float32), atol=0)
    error = (J[0, :4] - gradients).norm(dim=-1)
    assert bool((error <= gamma(SUMMED, torch.float32) * gradients.norm(dim=-1)).all())
    held_out = made.held_out(made.parameters[None])
    assert held_out.shape == (1, 1)
    assert 0 <= float(held_out) <= 1


@pytest.mark.parametrize("spec", ["IWRM-digits", "IWMTL-digits"])
def test_copies_of_the_model_do_not_see_each_other(spec: str) -> None:
    made = training(spec)
    x = torch.stack([made.parameters, 2 * made.parameters, -made.parameters])
    before = x.clone()
    values, J = made.evaluate(x, 5)
    for i in (2, 0, 1):
        alone = made.evaluate(x[i : i + 1], 5)
        assert torch.equal(values[i], alone.objectives[0])
        assert torch.equal(J[i], alone.jacobian[0])
        assert torch.equal(made.losses(x)[i], made.losses(x[i : i + 1])[0])
        assert torch.equal(made.held_out(x)[i], made.held_out(x[i : i + 1])[0])
    assert torch.equal(x, before)


@pytest.mark.parametrize("spec", ["IWRM-digits", "IWMTL-digits"])
def test_losses_of_all_examples_hold_those_of_a_batch(spec: str) -> None:
    made = training(spec)
    x = made.parameters[None]
    everything = made.losses(x).view(1024, -1)
    batch = made.evaluate(x, 7).objectives.view(len(made.batch(7)), -1)
    torch.testing.assert_close(
        everything[made.batch(7)], batch, rtol=gamma(SUMMED, torch.float32), atol=gamma(SUMMED, torch.float32)
    )


@pytest.mark.parametrize("spec", ["IWRM-digits", "IWMTL-digits"])
def test_seeds_draw_everything_and_nothing_else_does(spec: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = training(spec), training(spec), training(spec, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.parameters, again.parameters)
    for mine, same in zip((*first.examples, *first.unseen), (*again.examples, *again.unseen), strict=True):
        assert torch.equal(mine, same)
    assert torch.equal(first.batch(100), again.batch(100))
    assert not torch.equal(first.parameters, other.parameters)
    assert not torch.equal(first.unseen.targets, other.unseen.targets)


@pytest.mark.parametrize("spec", ["IWRM-digits", "IWMTL-digits"])
def test_training_on_the_mean_gradient_helps_on_held_out_images(spec: str) -> None:
    made, measures = training(spec), problem(spec).measures
    x = made.parameters[None]
    start, loss = made.held_out(x)[0], float(made.loss(x))
    for step in range(2 * made.steps_per_epoch):
        x = x - 0.1 * made.evaluate(x, step).jacobian.mean(-2)
    end = made.held_out(x)[0]
    assert float(made.loss(x)) < loss / 2
    assert len(end) == len(measures)
    for measure, before, after in zip(measures, start, end, strict=True):
        assert (after > before) == measure.larger_is_better, measure.name


def test_accuracy_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5], [1.0, 0.0]])
    assert accuracy(logits, torch.tensor([1, 0, 0, 1])).tolist() == [0.5]
    assert accuracy(logits * torch.inf, torch.tensor([1, 0, 0, 1])).isnan().all()


def test_three_tasks_by_hand() -> None:
    outputs = torch.zeros(2, 12)
    outputs[:, 3], outputs[:, 10], outputs[:, 11] = 5.0, torch.tensor([2.0, -2.0]), torch.tensor([1.0, 1.5])
    targets = torch.tensor([[3.0, 1.0], [7.0, -0.5]])
    log = float(np.log(np.exp(5.0) + 9))
    expected = torch.tensor([
        [log - 5, float(np.log1p(np.exp(-2.0))), 0.0],
        [log, float(np.log1p(np.exp(2.0))), 2.0],
    ])
    torch.testing.assert_close(task_losses(outputs, targets), expected)
    # The digit is right once of twice; parity too. Squared errors 0 and 4; the variance of ±0.75 is 0.5625.
    torch.testing.assert_close(task_scores(outputs, targets), torch.tensor([0.5, 0.5, 2 / 0.5625]))


def test_tasks_are_the_digit_its_parity_and_the_balance_of_the_image() -> None:
    made = training("IWMTL-digits")
    inputs, targets = made.examples
    labels = split("digits", 1)[0].targets
    assert torch.equal(targets[:, 0].long(), labels)
    slack = gamma(1024 * 64, torch.float32)
    assert abs(float(targets[:, 1].mean())) < slack
    assert abs(float(targets[:, 1].std()) - 1) < slack
    mirrored = inputs.flip(-1)
    leaning = inputs[..., :4].sum((1, 2, 3)) - inputs[..., 4:].sum((1, 2, 3))
    opposite = mirrored[..., :4].sum((1, 2, 3)) - mirrored[..., 4:].sum((1, 2, 3))
    torch.testing.assert_close(leaning, -opposite)
    line = torch.corrcoef(torch.stack([leaning, targets[:, 1]]))[0, 1]
    assert float(line) > 1 - slack
    assert made.evaluate(made.parameters[None], 0).jacobian.shape == (1, 48, 3658 + 2 * 33)


def test_rows_of_tasks_are_those_of_a_loop() -> None:
    made = training("IWMTL-digits(batch_size=3)")
    x = made.parameters[None]
    values, J = made.evaluate(x, 1)
    module, rows = made.model.module, made.batch(1)
    for i, row in enumerate(rows.tolist()):
        for task in range(3):
            losses = task_losses(
                module(made.examples.inputs[row : row + 1]), made.examples.targets[row : row + 1]
            )
            found = torch.autograd.grad(losses[0, task], list(module.parameters()), materialize_grads=True)
            expected = torch.cat([g.reshape(-1) for g in found])
            error = (J[0, 3 * i + task] - expected).norm()
            assert float(error) <= gamma(SUMMED, torch.float32) * float(expected.norm())
            slack = gamma(SUMMED, torch.float32)
            torch.testing.assert_close(
                values[0, 3 * i + task], losses[0, task].detach(), rtol=slack, atol=slack
            )


def test_a_flat_model_gives_losses_that_are_not_separable_too() -> None:
    module = nn.Linear(2, 1).double()
    model = FlatModel(module)
    inputs = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]], dtype=torch.float64)

    def losses(module: nn.Module) -> Tensor:
        outputs = module(inputs)
        return torch.stack([outputs.sum(), outputs.square().sum() / 2])

    found = model.evaluation(x, losses, separable=False)
    outputs = torch.tensor([[1.5, 3.5], [2.0, 4.0]], dtype=torch.float64)
    torch.testing.assert_close(found.objectives, torch.stack([outputs.sum(1), outputs.square().sum(1) / 2], 1))
    design = torch.cat([inputs, torch.ones(2, 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(found.jacobian, torch.stack([design.sum(0).expand(2, 3), outputs @ design], 1))


def test_a_flat_model_tells_one_output_from_several() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            found = self.layer(inputs)
            return found, 2 * found

    one, two, inputs = FlatModel(nn.Linear(2, 1)), FlatModel(Twice()), torch.ones(3, 2)
    x = torch.tensor([1.0, 2.0, 0.5])
    assert one(x, inputs).flatten().tolist() == [3.5] * 3
    assert [found.flatten().tolist() for found in two.several(x, inputs)] == [[3.5] * 3, [7.0] * 3]
    with pytest.raises(TypeError, match="module=Twice, required one output, got tuple"):
        two(x, inputs)
    with pytest.raises(TypeError, match="module=Linear, required a tuple, got Tensor"):
        one.several(x, inputs)
