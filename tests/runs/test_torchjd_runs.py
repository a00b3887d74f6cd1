"""TorchJD's aggregators: those that remember keep to their own run, others say where they cannot go."""

import numpy as np
import pytest

from jdbench.aggregator import resolve
from jdbench.errors import InputError
from jdbench.problem import resolve_problem
from jdbench.runs.protocol import RunSpec
from jdbench.runs.runner import run_batch

pytest.importorskip("torchjd", reason='needs the extra "peers": pip install "jdbench[peers]"')

TORCHJD = "torchjd.aggregation:"


def specs(aggregator: str, problem: str, steps: int, rate: float = 0.1) -> list[RunSpec]:
    return [RunSpec(problem, TORCHJD + aggregator, rate, seed, steps) for seed in (1, 2)]


def needing_ecos(aggregator: str) -> None:
    if "Nash" in aggregator:
        pytest.importorskip("ecos", reason="TorchJD's NashMTL wants cvxpy and ecos")


@pytest.mark.parametrize(
    "aggregator", ["NashMTL(n_tasks=2)", "GradVac", "ExcessMTL", "PCGrad", "CAGrad(c=0.5)"]
)
def test_a_run_of_a_batch_is_the_run_alone(aggregator: str) -> None:
    """The first three have a state, the fourth draws, the fifth does neither."""
    needing_ecos(aggregator)
    wanted = specs(aggregator, "CQF", 8)
    for together, alone in zip(run_batch(wanted), (run_batch([spec])[0] for spec in wanted), strict=True):
        assert (together.state, alone.state) == ("finished", "finished")
        np.testing.assert_array_equal(together.curves["end_x"], alone.curves["end_x"])
        np.testing.assert_array_equal(together.curves["distance"], alone.curves["distance"])


@pytest.mark.parametrize("aggregator", ["MGDA", "CAGrad(c=0.5)", "PCGrad"])
def test_the_distance_to_spheres_falls_to_a_tenth_at_theorem_1s_rate(aggregator: str) -> None:
    rate = resolve_problem("Spheres(m=3,n=2)").reference_rate()  # pyright: ignore[reportAttributeAccessIssue]
    for record in run_batch(specs(aggregator, "Spheres(m=3,n=2)", 200, rate)):
        assert record.state == "finished"
        assert record.indicators["final"] <= 0.1 * record.indicators["start"]


@pytest.mark.parametrize(
    ("aggregator", "problem", "message"),
    [
        ("NashMTL(n_tasks=2)", "Spheres(m=3,n=2)", "(m=3, n=2)"),
        ("Krum(n_byzantine=1)", "CQF", "at least 4 rows"),
        ("TrimmedMean(trim_number=1)", "CQF", "at least 3 rows"),
    ],
)
def test_on_a_shape_that_it_does_not_take_a_run_fails_in_one_line(
    aggregator: str, problem: str, message: str
) -> None:
    needing_ecos(aggregator)
    for record in run_batch(specs(aggregator, problem, 4)):
        assert record.state == "failed"
        assert record.error.startswith("ValueError: ")
        assert message in record.error
        assert "\n" not in record.error


def test_what_its_constructor_wants_is_asked_for_before_anything_runs() -> None:
    with pytest.raises(InputError, match=r"NashMTL takes, got TypeError: .* 'n_tasks'"):
        resolve(TORCHJD + "NashMTL")
