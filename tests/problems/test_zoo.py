"""Every announced analytic problem survives the checks, in all its variants, and is affordable."""

import time

import pytest
import torch

from jdbench.problem import (
    AnalyticProblem,
    available_problems,
    benchmark_problems,
    canonical_problem,
    resolve_problem,
)
from jdbench.problem_checks import check_problem
from support.analytic_problems import analytic

SPECS = [spec for spec in benchmark_problems(quick=False) if isinstance(resolve_problem(spec), AnalyticProblem)]

ZOO = {
    "EWQ", "CQF", "DoubleSphere", "Spheres", "HomogeneousQuadratics", "MonotoneSpheres", "Schaffer", "LogCosh",
    "TwoTaskLeastSquares", "InstanceLeastSquares", "Fonseca", "Dent", "CurvedValley", "ZDT1", "ZDT2", "ZDT3",
    "ZDT4", "ZDT6", "DTLZ1", "DTLZ2", "DTLZ3", "SYM-PART", "ZeroSum", "RegularisedGame",
    "SeparableLogistic", "Toy",
}  # fmt: skip

PATHS = 301 * 176
"""Points at which a benchmark measures the distance, for each aggregator."""


def test_the_whole_zoo_is_announced() -> None:
    assert set(available_problems()) >= ZOO


@pytest.mark.parametrize("samples", [60, pytest.param(600, marks=pytest.mark.long)])
@pytest.mark.parametrize("spec", SPECS)
def test_problem_is_what_it_says(spec: str, samples: int) -> None:
    assert [str(finding) for finding in check_problem(analytic(spec), samples=samples)] == []


@pytest.mark.parametrize("spec", SPECS)
def test_problem_says_where_it_is_from(spec: str) -> None:
    problem = analytic(spec)
    assert problem.family in {
        "convex", "non-convex", "multi-task", "instance-wise risk minimisation", "adversarial"
    }  # fmt: skip
    assert problem.source
    assert (problem.reference_rate() is None) == (problem.beta is None)


def test_a_quick_benchmark_runs_default_sizes_and_quick_trainings_only() -> None:
    quick, full = benchmark_problems(quick=True), benchmark_problems(quick=False)
    assert {"Spheres(m=3,n=2)", "MonotoneSpheres(phi='log')", "EWQ", "IWRM-digits"} <= set(quick) <= set(full)
    assert {"Spheres(m=8,n=3)", "MonotoneSpheres(phi='root')", "IWMTL-digits"} <= set(full) - set(quick)
    assert len(set(full)) == len(full)
    assert all(canonical_problem(spec) == spec for spec in full)
    announced = available_problems()
    for spec in set(full) - set(quick):
        assert spec not in announced or resolve_problem(spec).quick is False


@pytest.mark.parametrize("spec", SPECS)
def test_distances_of_a_benchmark_are_affordable(spec: str) -> None:
    problem = analytic(spec)
    x = torch.stack([problem.start(seed) for seed in range(1, 9)]).repeat(PATHS // 8, 1)
    begun = time.process_time()
    problem.distance(x)
    # A budget, of 13 aggregators in 4 minutes on two cores; most take a hundredth of it.
    assert time.process_time() - begun < 2
