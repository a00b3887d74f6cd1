"""What is run: seeds, budgets and learning-rate selection, turned into run specs ([JD] D.1 and D.2)."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import torch

from jdbench.descent.optimizers import DESCENT
from jdbench.errors import InputError, unknown_name
from jdbench.problem import AnalyticProblem, Problem, resolve_problem, seeded

FACTOR = 10 ** (1 / 3)
"""Ratio of neighbouring coarse rates, and the margin by which the refined range is widened ([JD] D.1)."""

COARSE_RATES = tuple(10 ** (-5 + k / 3) for k in range(22))
"""22 rates from 1e-5 to 1e2 ([JD] D.1)."""


LARGEST_BATCH = 2048
"""Runs that advance together at most: their paths are kept in memory."""


@dataclass(frozen=True)
class RunSpec:
    """One run: a problem, an aggregator, a learning rate and a seed, with the budget.

    Attributes:
        problem: Spec of the problem.
        aggregator: Canonical spec of the aggregator.
        rate: Learning rate, positive.
        seed: Number of the run, from 1; it draws start, subset, weights, batches and random aggregations.
        steps: Steps on an analytic problem, epochs on a training problem.
        optimizer: Spec of the optimiser.
        trace: Whether the path of the run is kept beside its curve.

    Example:
        >>> from jdbench.runs import RunSpec
        >>> a, b = RunSpec("EWQ", "UPGrad", 0.1, 1, 300), RunSpec("EWQ", "UPGrad", 0.1, 2, 300)
        >>> a.key == b.key, len(a.key)
        (False, 24)
    """

    problem: str
    aggregator: str
    rate: float
    seed: int
    steps: int
    optimizer: str = DESCENT
    trace: bool = False

    @property
    def key(self) -> str:
        """A digest of all fields, which identifies the record."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


def generators(specs: Sequence[RunSpec]) -> list[torch.Generator]:
    """Return a generator for each run, seeded by all that defines it: it draws the same in any batch."""
    return [seeded(int(spec.key[:14], 16)) for spec in specs]


@dataclass(frozen=True)
class Budget:
    """What a problem of one kind gets.

    Attributes:
        length: Steps of a run on an analytic problem, epochs of a training.
        rates: Learning rates tried first.
        seeds: Runs of each rate, seeds 1, 2, …

    Example:
        >>> from jdbench.runs import Budget
        >>> budget = Budget(100, rates=(0.1, 1.0), seeds=2)
        >>> len(budget.rates) * budget.seeds  # runs of an aggregator
        4
    """

    length: int
    rates: tuple[float, ...] = COARSE_RATES
    seeds: int = 8


@dataclass(frozen=True)
class Protocol:
    """How learning rates are selected, and how long and how often runs go.

    Attributes:
        preset: Its name.
        analytic: For analytic problems.
        training: For training problems.
        large: For training problems that are ``large``.
        refined: Number of rates tried in a second round between the best two of the first.
        reference_steps: Steps of the runs at Theorem 1's rate 1/(β√m), whose paths are kept.
        optimizer: Spec of the optimiser.

    Example:
        >>> from jdbench.runs import Budget, Protocol
        >>> short = Budget(10, rates=(0.1,), seeds=1)
        >>> Protocol("short", short, short, short).with_seeds(3).analytic.seeds
        3
    """

    preset: str
    analytic: Budget
    training: Budget
    large: Budget
    refined: int = 0
    reference_steps: int = 1000
    optimizer: str = DESCENT

    def budget(self, problem: Problem) -> Budget:
        """Return what a problem gets: one of the three."""
        if isinstance(problem, AnalyticProblem):
            return self.analytic
        return self.large if problem.large else self.training

    def with_seeds(self, seeds: int | None) -> "Protocol":
        """Return the protocol with another number of runs, everywhere.

        Args:
            seeds: The number, at least 1; None changes nothing.

        Returns:
            A protocol.

        Raises:
            InputError: The number is not positive.
        """
        if seeds is None:
            return self
        if seeds < 1:
            raise InputError(f"seeds={seeds}, required at least 1, got fewer, [JD] takes 8")
        analytic, training, large = (
            replace(budget, seeds=seeds) for budget in (self.analytic, self.training, self.large)
        )
        return replace(self, analytic=analytic, training=training, large=large)


EVERY_SECOND = COARSE_RATES[6::2]
"""Every second of the coarse rates from 1e-3 on: eight."""

PRESETS = {
    # Minutes: the problems with their default sizes, of the trainings those that are quick.
    "quick": Protocol("quick", Budget(300), Budget(2, EVERY_SECOND, 3), Budget(2, EVERY_SECOND[:5], 1)),
    # Everything, in an hour or so.
    "full": Protocol("full", Budget(1000), Budget(4, EVERY_SECOND, 2), Budget(2, EVERY_SECOND[:5], 1)),
    # [JD] Appendix D to the letter, with the 8 epochs of its MNIST runs (Table 6).
    "paper": Protocol("paper", Budget(1000), Budget(8), Budget(8), refined=50),
}


def preset(name: str) -> Protocol:
    """Return the protocol of a name.

    Args:
        name: ``quick``, ``full`` or ``paper``.

    Raises:
        UnknownNameError: There is no such preset.

    Example:
        >>> from jdbench.runs import preset
        >>> preset("paper").analytic.length, preset("paper").refined
        (1000, 50)
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def first_round(protocol: Protocol, problems: Sequence[str], aggregators: Sequence[str]) -> list[RunSpec]:
    """Return the runs that select a rate, and the reference runs of problems with a β.

    Args:
        protocol: Rates, seeds and budgets.
        problems: Specs of problems.
        aggregators: Canonical specs of aggregators.

    Returns:
        Run specs, problem by problem, without repetition.

    Example:
        >>> from jdbench.runs import first_round, preset
        >>> specs = first_round(preset("quick"), ["EWQ"], ["Mean", "UPGrad"])
        >>> len(specs)  # 2 aggregators, 8 seeds, 22 rates and that of Theorem 1
        368
    """
    specs: list[RunSpec] = []
    for problem in dict.fromkeys(problems):
        resolved = resolve_problem(problem)
        budget = protocol.budget(resolved)
        reference: float | None = None
        if isinstance(resolved, AnalyticProblem) and protocol.optimizer == DESCENT:
            reference = resolved.reference_rate()
        for aggregator in dict.fromkeys(aggregators):
            for seed in range(1, budget.seeds + 1):
                specs += [
                    RunSpec(problem, aggregator, rate, seed, budget.length, protocol.optimizer)
                    for rate in budget.rates
                ]
                if reference is not None:
                    specs.append(
                        RunSpec(problem, aggregator, reference, seed, protocol.reference_steps, trace=True)
                    )
    return specs


def second_round(protocol: Protocol, areas: Mapping[RunSpec, float]) -> list[RunSpec]:
    """Return the runs between the best two rates of each problem, aggregator and seed ([JD] D.1).

    Args:
        protocol: How many rates.
        areas: Area under the curve of each run of the first round; infinite if it diverged or failed.

    Returns:
        Run specs; none if the protocol has one round.

    Example:
        >>> from jdbench.runs import RunSpec, preset, second_round
        >>> areas = {RunSpec("EWQ", "Mean", rate, 1, 1000): area for rate, area in ((0.1, 2.0), (0.01, 3.0))}
        >>> specs = second_round(preset("paper"), areas)
        >>> len(specs), round(specs[0].rate, 5), round(specs[-1].rate, 5)
        (50, 0.00464, 0.21544)
    """
    groups: dict[tuple[str, str, int], dict[RunSpec, float]] = {}
    for spec, area in areas.items():
        if not spec.trace:
            groups.setdefault((spec.problem, spec.aggregator, spec.seed), {})[spec] = area
    specs: list[RunSpec] = []
    for group in groups.values():
        rates = refined_rates({spec.rate: area for spec, area in group.items()}, protocol.refined)
        specs += [replace(next(iter(group)), rate=rate) for rate in rates]
    return specs


def refined_rates(areas: Mapping[float, float], count: int) -> list[float]:
    """Return rates evenly spaced in the exponent over the range of the best two, widened ([JD] D.1), ascending.

    Args:
        areas: Area under the curve of each rate tried; infinite ones come last, ties go to the smaller rate.
        count: Number of rates; none come for 0, nor for fewer than two rates tried.
    """
    if count < 1 or len(areas) < 2:
        return []
    best = sorted(areas, key=lambda rate: (areas[rate], rate))[:2]
    low, high = math.log10(min(best) / FACTOR), math.log10(max(best) * FACTOR)
    if count == 1:
        return [10 ** ((low + high) / 2)]
    return [10 ** (low + (high - low) * k / (count - 1)) for k in range(count)]


def batches(specs: Iterable[RunSpec]) -> list[list[RunSpec]]:
    """Return the specs in the groups that advance together.

    On an analytic problem all rates and seeds of an aggregator are one batch; a training is one of its own. The
    groups come in the order of their first member.

    Example:
        >>> from jdbench.runs import batches, first_round, preset
        >>> specs = first_round(preset("quick"), ["EWQ"], ["Mean", "UPGrad"])
        >>> [len(batch) for batch in batches(specs)]  # with Theorem 1's rate, paths are kept
        [176, 8, 176, 8]
    """
    groups: dict[object, list[RunSpec]] = {}
    analytic: dict[str, bool] = {}
    for spec in specs:
        if spec.problem not in analytic:
            analytic[spec.problem] = isinstance(resolve_problem(spec.problem), AnalyticProblem)
        shared = (spec.problem, spec.aggregator, spec.steps, spec.optimizer, spec.trace)
        groups.setdefault(shared if analytic[spec.problem] else spec, []).append(spec)
    return [
        group[i : i + LARGEST_BATCH] for group in groups.values() for i in range(0, len(group), LARGEST_BATCH)
    ]
