"""Any callable called as an aggregator by `aggregate`: batches, draws and results."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from jdbench import rounding
from jdbench.aggregator import aggregate, resolve
from jdbench.aggregators import MGDA, RGW, Mean
from jdbench.errors import InputError
from support.tensors import seeded

J = torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, 2.0]], dtype=torch.float64)


def third_party(matrix: Tensor) -> Tensor:
    assert matrix.ndim == 2
    return matrix.sum(0)


def noise(matrix: Tensor) -> Tensor:
    drawn = torch.rand(()).item() + np.random.random()  # noqa: NPY002
    return matrix.mean(0) + drawn


def destroy(matrix: Tensor) -> Tensor:
    return matrix.zero_()[0]


@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3), (2, 5, 2, 3), (0, 2, 3), (2, 0, 2, 3)], ids=str)
def test_a_third_party_is_called_matrix_by_matrix(shape: tuple[int, ...]) -> None:
    batch = torch.randint(-9, 10, shape, generator=seeded()).double()
    assert torch.equal(aggregate(third_party, batch), batch.sum(-2))


def test_our_own_get_the_batch_whole() -> None:
    class Recorder(Mean):
        def __call__(self, J: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
            seen.append((tuple(J.shape), generator))
            return super().__call__(J, generator=generator)

    seen: list[object] = []
    generator = seeded()
    assert aggregate(Recorder(), J.expand(4, 2, 3), generator=generator).shape == (4, 3)
    assert seen == [((4, 2, 3), generator)]


def test_a_third_party_cannot_change_the_argument() -> None:
    before = J.clone()
    assert not aggregate(destroy, J).any()
    assert torch.equal(J, before)


def test_a_result_takes_the_dtype_of_the_jacobian_and_no_graph() -> None:
    parameter = torch.ones((), dtype=torch.float32, requires_grad=True)
    a = aggregate(lambda matrix: matrix.float().sum(0) * parameter, J)
    assert a.dtype == torch.float64
    assert not a.requires_grad


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (lambda matrix: matrix, r"\(2, 3\)"),
        (lambda matrix: matrix.sum(), r"\(\)"),
        (lambda matrix: matrix.sum(1), r"\(2,\)"),
        (lambda matrix: matrix.sum(0, keepdim=True), r"\(1, 3\)"),
        (lambda matrix: matrix.sum(0).tolist(), "list"),
        (lambda matrix: None, "NoneType"),  # noqa: ARG005
        (lambda matrix: matrix.sum(0).numpy(), "ndarray"),
    ],
    ids=["matrix", "scalar", "of length m", "row", "list", "None", "numpy"],
)
def test_a_result_of_another_shape_or_type_is_refused(wrong: Callable[[Tensor], object], got: str) -> None:
    with pytest.raises(InputError, match=rf"^A\(J\), required a tensor of shape \(3,\), got {got}"):
        aggregate(wrong, J)  # pyright: ignore[reportArgumentType]


def test_a_third_party_draws_from_the_generator_alone() -> None:
    batch = J.expand(6, 2, 3)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = aggregate(noise, batch, generator=seeded(7))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert torch.equal(aggregate(noise, batch, generator=seeded(7)), first)
    assert not torch.equal(aggregate(noise, batch, generator=seeded(8)), first)
    assert torch.unique(first, dim=0).shape[0] == 6  # each matrix has its own draws


def test_the_global_generators_are_put_back_when_a_third_party_fails() -> None:
    def fail(matrix: Tensor) -> Tensor:
        noise(matrix)
        raise RuntimeError("out of luck")

    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(RuntimeError, match="out of luck"):
        aggregate(fail, J, generator=seeded())
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_without_a_generator_the_global_one_decides() -> None:
    torch.manual_seed(3)
    first = aggregate(noise, J)
    second = aggregate(noise, J)
    torch.manual_seed(3)
    assert torch.equal(aggregate(noise, J), first)
    assert not torch.equal(second, first)


def test_our_random_aggregators_follow_the_generator_too() -> None:
    batch = J.expand(5, 2, 3)
    assert torch.equal(aggregate(RGW(), batch, generator=seeded(4)), RGW()(batch, generator=seeded(4)))


def test_an_aggregator_of_torchjd_is_a_third_party() -> None:
    pytest.importorskip("torchjd", reason="the third party is TorchJD (extra: peers)")
    batch = torch.randn(3, 2, 4, dtype=torch.float64, generator=seeded())
    spec, A = resolve("torchjd.aggregation:Mean")
    assert spec == "torchjd.aggregation:Mean"
    error = (aggregate(A, batch) - Mean()(batch)).abs()
    assert bool((error <= 2 * rounding.combination(batch, torch.full((3, 2), 0.5))).all())
    assert resolve("torchjd.aggregation:CAGrad(c=0.4)").aggregator.c == 0.4  # pyright: ignore[reportFunctionMemberAccess]
    assert isinstance(resolve("torchjd.aggregation:MGDA").aggregator, torch.nn.Module)
    assert not isinstance(resolve("torchjd.aggregation:MGDA").aggregator, MGDA)
