"""What no aggregator takes: entries, shapes, Gramians and arguments that are refused."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import resolve
from jdbench.aggregators import CAGrad, NashMTL
from jdbench.errors import InputError, NonFiniteError
from support.aggregator_cases import SPECS, WEIGHTED, named, weighted
from support.tensors import draw, seeded


@pytest.mark.parametrize(
    ("value", "where"), [(math.nan, (1, 2)), (math.inf, (0, 0)), (-math.inf, (2, 1))], ids=str
)
@pytest.mark.parametrize("batch", [(), (2,)], ids=["matrix", "batch"])
@pytest.mark.parametrize("spec", SPECS)
def test_entries_that_are_not_finite_are_refused(
    spec: str, batch: tuple[int, ...], value: float, where: tuple[int, int]
) -> None:
    J = draw(*batch, 3, 4)
    J[(*(0 for _ in batch), *where)] = value
    with pytest.raises(NonFiniteError, match=r"^J"):
        named(spec, 3)(J, generator=seeded())


@pytest.mark.parametrize(
    "J",
    [
        torch.ones(3, 2, dtype=torch.int64),
        torch.ones(3),
        torch.ones(0, 3),
        torch.tensor(1.0),
        [[1.0, 2.0]],
        None,
    ],
    ids=["integers", "1-D", "no rows", "0-D", "list", "None"],
)
@pytest.mark.parametrize("spec", SPECS)
def test_what_is_no_jacobian_is_refused(spec: str, J: object) -> None:
    with pytest.raises(InputError, match=r"^J, required"):
        named(spec, 3)(J, generator=seeded())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("G", [torch.ones(3, 2), torch.ones(3), torch.ones(2, 2, dtype=torch.int64)])
@pytest.mark.parametrize("spec", WEIGHTED)
def test_what_is_no_gramian_is_refused(spec: str, G: Tensor) -> None:
    with pytest.raises(InputError, match=r"^G, required"):
        weighted(spec, G.shape[-1]).weights(G, generator=seeded())


@pytest.mark.parametrize("spec", [spec for spec in WEIGHTED if spec not in {"Mean", "RGW"}])
def test_a_negative_diagonal_is_refused_where_weights_depend_on_it(spec: str) -> None:
    with pytest.raises(InputError, match=r"^G, required .*negative diagonal"):
        weighted(spec, 2).weights(-torch.eye(2), generator=seeded())


@pytest.mark.parametrize(
    ("spec", "argument"),
    [
        ("CAGrad(c=-0.1)", "c=-0.1"),
        ("CAGrad(c=1e999)", "c=inf"),
        ("NashMTL(epsilon=0)", "epsilon=0"),
        ("NashMTL(epsilon=-1.0)", "epsilon=-1.0"),
        ("NashMTL(epsilon=1e999)", "epsilon=inf"),
        ("AlignedMTL(scale='max')", "scale='max'.*choose one of median, min, rmse"),
        ("AlignedMTL(scale=None)", "scale='None'"),
        *(
            (f"{name}(preferences={value})", "preferences=")
            for name in ("UPGrad", "DualProj", "AlignedMTL")
            for value in ((), (1.0, 0.0), (1.0, -1.0), "(1.0, 1e999)")
        ),
        *(
            (f"{name}(trace_regularization={value})", f"trace_regularization={value}")
            for name in ("UPGrad", "DualProj")
            for value in (-1e-4,)
        ),
    ],
)
def test_invalid_arguments_are_refused_at_construction(spec: str, argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}"):
        resolve(spec)


@pytest.mark.parametrize("build", [lambda x: CAGrad(c=x), lambda x: NashMTL(epsilon=x)], ids=["c", "epsilon"])
def test_nan_is_refused_at_construction(build: Callable[[float], object]) -> None:
    with pytest.raises(InputError, match="=nan, required a"):
        build(math.nan)


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "AlignedMTL"])
def test_preferences_of_another_number_than_the_rows_are_refused(name: str) -> None:
    A = named(f"{name}(preferences)", 3)
    with pytest.raises(InputError, match=r"^preferences=\(1.0, 2.0, 3.0\), required 2 numbers, got 3"):
        A(draw(2, 4))
