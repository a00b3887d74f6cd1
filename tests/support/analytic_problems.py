"""Analytic problems by their specs, with starts and rates of descents on them."""

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, resolve_problem


def analytic(spec: str) -> AnalyticProblem:
    problem = resolve_problem(spec)
    assert isinstance(problem, AnalyticProblem)
    return problem


def quadratic(name: str = "CQF") -> AnalyticProblem:
    return analytic(name)


def starts(problem: AnalyticProblem, count: int) -> Tensor:
    return torch.stack([problem.start(seed) for seed in range(1, count + 1)])


def rates(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
