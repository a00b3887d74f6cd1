"""What ``check="first"`` costs over many steps with UPGrad, and the peak memory of a step that is checked.

    OMP_NUM_THREADS=1 python -m benchmarks.engine_checks
    OMP_NUM_THREADS=1 python -m benchmarks.engine_checks --clock process    # on a machine that others use too

An engine that checks at uses 1, 2, 4, 8, … and one that never does start anew and take turns, step by step, on
the same data; each step's time is the median of the rounds. Lengths of sequences are one, or drawn from 5 to 50
at every step. A peak is that of three steps that are all checked or all not, in a process of its own.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.conditions import THREADS, set_threads
from benchmarks.engine_networks import CLASSES, KINDS, SEQUENCES
from benchmarks.memory import fresh_peak
from benchmarks.training import STEPS_OF_PEAK
from jdbench.aggregators import UPGrad
from jdbench.engine import Check, Engine
from jdbench.problems.networks import NETWORKS

MODELS = [*SEQUENCES, *NETWORKS]
"""Kinds that take sequences of any length, and the networks of [JD] Tables 2 to 5."""

LENGTHS = {"fixed": (27, 27), "varying": (5, 50)}
"""Least and largest length of sequences; the batch of 32 is among the varying ones."""

BATCH, RATE, BAR = 32, 1e-4, 0.05


class Steps:
    """Steps of training by an engine, each on data of its own."""

    def __init__(self, model: str, check: Check, batch: int = BATCH) -> None:
        """Build the same model out of `MODELS` every time."""
        self._name, self._batch = model, batch
        self._check: Check = check
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._model: nn.Module = NETWORKS[model].build() if model in NETWORKS else KINDS[model][0]()
        self._engine, self._aggregator = Engine(self._model), UPGrad()
        self._optimizer = torch.optim.SGD(self._model.parameters(), RATE)

    def data(self, length: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return instances and labels that follow from a seed; sequences have a length, images have none."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            images = self._name in NETWORKS
            x = (
                torch.randn(self._batch, *NETWORKS[self._name].shape)
                if images
                else KINDS[self._name][1](self._batch, length)[0]
            )
            return x, torch.randint(0, CLASSES, (self._batch,))

    def take(self, x: Tensor, y: Tensor) -> None:
        """Take a step: forward, backward, update."""
        self._optimizer.zero_grad()
        losses = cross_entropy(self._model(x), y, reduction="none")
        self._engine.backward(losses, self._aggregator, check=self._check)
        self._optimizer.step()


def drawn(kind: str, steps: int) -> list[int]:
    """Return the length of every step's sequences for a kind out of `LENGTHS`, the same every time."""
    low, high = LENGTHS[kind]
    return torch.randint(low, high + 1, (steps,), generator=torch.Generator().manual_seed(0)).tolist()


def seconds(
    model: str, lengths: list[int], rounds: int, clock: Callable[[], float]
) -> dict[Literal["first", False], list[float]]:
    """Return the seconds of every step with and without checks, each the median of rounds with new engines."""
    checks: list[Literal["first", False]] = ["first", False]
    taken: dict[Literal["first", False], list[list[float]]] = {check: [[] for _ in lengths] for check in checks}
    for round_ in range(rounds + 1):
        engines = {check: Steps(model, check) for check in checks}
        for k, length in enumerate(lengths):
            for check in checks if (round_ + k) % 2 else reversed(checks):
                x, y = engines[check].data(length, k)
                start = clock()
                engines[check].take(x, y)
                if round_:  # the first round loads and compiles
                    taken[check][k].append(clock() - start)
    return {check: [median(times) for times in steps] for check, steps in taken.items()}


def peak_of_checks(model: str, check: bool) -> float:
    """Return the bytes of three steps at the largest length of sequences, all checked or none."""
    return fresh_peak(partial(_steps_of_peak, model, check), "benchmarks.training")


def _steps_of_peak(model: str, check: bool) -> Callable[[], object]:
    set_threads()
    few = Steps(model, check, 4)
    few.take(*few.data(5, 0))  # what a first step loads is not the batch's
    steps = Steps(model, check)
    x, y = steps.data(LENGTHS["varying"][1], 0)
    return lambda: [steps.take(x, y) for _ in range(STEPS_OF_PEAK)]


def report(models: list[str], steps: int, rounds: int, clock: Callable[[], float]) -> Iterator[str]:
    """Yield the lines of the table."""
    columns = f"{'model':12} {'lengths':8} {'unchecked':>12} {'check=first':>12} {'cost':>7}"
    yield f"{columns}   bar     peak: unchecked, checked"
    for model in models:
        plain, checked = (peak_of_checks(model, check) / 2**20 for check in (False, True))
        for kind in ["fixed"] if model in NETWORKS else LENGTHS:
            taken = seconds(model, drawn(kind, steps), rounds, clock)
            without, first = sum(taken[False]), sum(taken["first"])
            cost = first / without - 1
            yield (
                f"{model:12} {kind:8} {without:10.3f} s {first:10.3f} s {100 * cost:5.1f} %   "
                f"{'met' if cost <= BAR else 'MISSED':6}  "
                f"{plain:7.1f} MiB {checked:7.1f} MiB x{checked / plain:.2f}"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine_checks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*SEQUENCES, "CIFAR-10"])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    given = parser.parse_args()
    set_threads()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    print(
        f"UPGrad, batch {BATCH}, {given.steps} steps, {THREADS} threads (OMP_NUM_THREADS), "
        f"bar {100 * BAR:.0f} %, torch {torch.__version__}"
    )
    for line in report(given.models, given.steps, given.rounds, clock):
        print(line, flush=True)


if __name__ == "__main__":
    main()
