"""The variants of the zoo's problems: the defaults first, under the right heading, and with usable rates."""

import inspect

import pytest

from jdbench.aggregators import Mean, UPGrad
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.problem import AnalyticProblem, available_problems, benchmark_problems, resolve_problem
from jdbench.runs.protocol import COARSE_RATES
from jdbench.spec import parse
from support.analytic_problems import analytic, rates, starts

ANALYTIC = {
    spec: problem
    for spec in benchmark_problems(quick=False)
    if isinstance(problem := resolve_problem(spec), AnalyticProblem)
}

OF_THEOREM_1 = [spec for spec, p in ANALYTIC.items() if p.convex and p.beta is not None and p.attained]


@pytest.mark.parametrize("spec", benchmark_problems(quick=True))
def test_a_quick_benchmark_runs_defaults(spec: str) -> None:
    name, bracket, rest = spec.partition("(")
    parameters = inspect.signature(available_problems()[name]()).parameters
    keywords = parse("Problem" + bracket + rest, "problem").keywords
    assert keywords == {key: parameters[key].default for key in keywords}


@pytest.mark.parametrize("spec", ANALYTIC)
def test_convex_and_non_convex_are_headings_of_what_they_say(spec: str) -> None:
    problem = ANALYTIC[spec]
    assert problem.family != ("non-convex" if problem.convex else "convex")


def test_a_quick_benchmark_has_least_squares_with_more_instances_than_parameters() -> None:
    assert "InstanceLeastSquares(m=4,n=2)" in benchmark_problems(quick=True)


@pytest.mark.parametrize("spec", OF_THEOREM_1)
def test_a_thousand_steps_of_theorem_1_are_enough(spec: str) -> None:
    """What the findings ask of UPGrad is within reach: no variant is too badly conditioned."""
    problem = analytic(spec)
    x, rate = starts(problem, 8), problem.reference_rate()
    assert rate is not None
    ends = descend(x, full_jacobian(problem), UPGrad(), Descent(rates(*[rate] * 8)), 1000).x
    assert float((problem.distance(ends) / problem.distance(x)).max()) <= 1e-3


@pytest.mark.parametrize("aggregator", [Mean(), UPGrad()], ids=str)
@pytest.mark.parametrize("spec", ["DTLZ1(m=2)", "DTLZ1(m=3)", "DTLZ3(m=2)", "DTLZ3(m=3)"])
def test_multimodal_problems_have_usable_rates_inside_the_grid(spec: str, aggregator: Mean | UPGrad) -> None:
    """Rates of 2e-4, 1e-3 and 5e-3 lead to local fronts, at 0.06 to 0.08 of the start; 1e-5 and 0.1 do not."""
    problem = analytic(spec)
    tried = [COARSE_RATES[k] for k in (0, 4, 6, 8, 12)]
    x = starts(problem, 8).repeat(len(tried), 1)
    rate = rates(*tried).repeat_interleave(8)
    ends = descend(x, full_jacobian(problem), aggregator, Descent(rate), 300).x
    left = (problem.distance(ends) / problem.distance(x)).reshape(-1, 8).median(-1).values
    assert (left < 0.12).tolist() == [False, True, True, True, False]
