"""Every built-in aggregator by its spec, and matrices where formulas break."""

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, GramianAggregator, resolve
from support.tensors import draw, integers, matrix, seeded

SPECS = [
    "Mean",
    "MGDA",
    "DualProj",
    "DualProj(trace_regularization=1e-4)",
    "DualProj(preferences)",
    "PCGrad",
    "GradDrop",
    "IMTLG",
    "CAGrad(c=0)",
    "CAGrad(c=0.5)",
    "CAGrad(c=1)",
    "CAGrad(c=2)",
    "RGW",
    "NashMTL",
    "NashMTL(epsilon=0.25)",
    "AlignedMTL",
    "AlignedMTL(scale='median')",
    "AlignedMTL(scale='rmse')",
    "AlignedMTL(preferences)",
    "UPGrad",
    "UPGrad(trace_regularization=1e-4)",
    "UPGrad(preferences)",
]
RANDOM = [spec for spec in SPECS if spec in {"PCGrad", "GradDrop", "RGW"}]
DETERMINISTIC = [spec for spec in SPECS if spec not in RANDOM]
WEIGHTED = [spec for spec in SPECS if spec != "GradDrop"]
INDEPENDENT = [(1, 4), (2, 2), (3, 5), (4, 6), (5, 5)]
DEPENDENT = [(2, 1), (3, 2), (4, 2), (5, 3)]


def named(spec: str, m: int) -> Aggregator:
    """Return the aggregator of a spec, in which ``preferences`` stands for 1, 2, …, m."""
    preferences = f"preferences={tuple(float(i + 1) for i in range(m))}"
    A = resolve(spec.replace("preferences", preferences)).aggregator
    assert isinstance(A, Aggregator)
    return A


def weighted(spec: str, m: int) -> GramianAggregator:
    A = named(spec, m)
    assert isinstance(A, GramianAggregator)
    return A


def eight_decades(m: int, n: int, seed: int) -> Tensor:
    """Return rows in general position whose norms, powers of two, span eight decades: 2±13."""
    exponents = torch.linspace(-13, 13, m, dtype=torch.float64).round()[
        torch.randperm(m, generator=seeded(seed))
    ]
    return draw(m, n, seed=seed) * 2.0 ** exponents.unsqueeze(-1)


CASES: dict[str, Tensor] = {
    "one entry": matrix([[-2.0]]),
    "one row": matrix([[3.0, -4.0, 0.0]]),
    "a zero row": matrix([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0], [-2.0, 1.0, 1.0]]),
    "zero": torch.zeros(3, 4, dtype=torch.float64),
    "parallel rows": matrix([[1.0, -2.0], [3.0, -6.0], [1.0, 1.0]]),
    "duplicate rows": matrix([[1.0, -2.0, 1.0], [1.0, -2.0, 1.0], [-1.0, 1.0, 1.0]]),
    "opposed rows": matrix([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, 1.0, 1.0]]),
    "more rows than columns": integers(7, 3),
    "one column": matrix([[1.0], [-3.0], [2.0]]),
    "rank two": integers(5, 2) @ integers(2, 6, seed=1),
    "eight decades": eight_decades(4, 6, 0),
    "eight decades, rank two": eight_decades(4, 2, 0),
    "entries of 1e150": integers(3, 4).clamp(-1, 1) * 1e150,
    "entries of 1e-150": integers(3, 4) * 1e-150,
    "one entry of 1e150 among 1e-150": matrix([[1e150, 1e-150], [-1e-150, 1e-150], [1e-150, 0.0]]),
    "stationary": matrix([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]),
    "weakly stationary": matrix([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]),
    "many columns": integers(3, 2000),
    "no columns": torch.zeros(2, 0, dtype=torch.float64),
}

EACH_CASE = pytest.mark.parametrize("J", CASES.values(), ids=CASES.keys())
