"""The forms that a rule chooses from agree, exactly on integers; and powers of two are exact."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Signatures, walk
from jdbench.engine.instance_rows import merged
from jdbench.engine.known_graphs import KnownGraphs
from jdbench.engine.layout import Regular
from jdbench.engine.parts import OuterProducts, Part, Rows
from jdbench.engine.products import (
    LARGEST,
    exponents,
    factors,
    grow,
    inner_products,
    shrink,
    shrunk_weights,
    weighted_sum,
)
from jdbench.engine.rules import rule_of
from jdbench.engine.rules.convolution import Geometry, _by_products, _grouped, _padded, _reached, _unfolded
from jdbench.engine.rules.embedding import Lookups
from jdbench.rounding import gamma

DOUBLE = torch.float64


def integers(*shape: int, seed: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def part_of(module: nn.Module, x: Tensor, delta: Tensor) -> Part:
    """What the closed form of a module's operation makes of the gradient of its output, instances first."""
    trained = {p: name for name, p in module.named_parameters() if p.requires_grad}
    (junction,) = walk(
        module(x), module, trained, KnownGraphs(module).is_constant(len(x)), Signatures()
    ).junctions
    (shape,), m = junction.shapes, len(x)
    layout = Regular(0, m, 1, shape[0] // m)
    junction.layouts[0] = layout
    rule = rule_of(junction)
    assert rule is not None
    (part,) = rule.parts(Arrival(junction, {0: layout.arranged(delta.reshape(shape))}, 1))
    return part


def factors_of(module: nn.Linear, x: Tensor, delta: Tensor) -> OuterProducts:
    weight, bias = (p if p.requires_grad else None for p in (module.weight, module.bias))
    return OuterProducts(x, delta, weight, bias)


def geometry_of(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> Geometry:
    return Geometry(module.weight.shape, module.stride, module.dilation, module.groups)


CONVOLUTIONS = [
    (axes, groups, stride, dilation, padding)
    for axes, (groups, stride, dilation, padding) in product(
        (1, 2, 3), [(1, 1, 1, 0), (2, 1, 2, 1), (1, 2, 1, 0), (4, 3, 1, 2), (2, 2, 2, "valid")]
    )
]


@pytest.mark.parametrize("axes, groups, stride, dilation, padding", CONVOLUTIONS)  # noqa: PT006
def test_the_three_forms_of_a_convolution(axes: int, groups: int, stride: int, dilation: int, padding) -> None:
    convolutions = [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    module = convolutions[axes - 1](4, 8, [3, 2, 1][:axes], stride, padding, dilation, groups).double()
    x = integers(3, 4, *[8, 7, 6][:axes], seed=0)
    y = module(x)
    delta = integers(*y.shape, seed=1)
    expected = torch.stack([
        torch.autograd.grad(y, module.weight, delta * (torch.arange(3) == i).view(-1, *[1] * (y.ndim - 1)),
                            retain_graph=True)[0]
        for i in range(3)
    ])  # fmt: skip
    padded = _padded(x, [0 if padding == "valid" else padding] * axes)
    geometry = geometry_of(module)
    padded = _reached(geometry, padded, delta)
    assert torch.equal(_by_products(geometry, padded, delta), expected)
    assert torch.equal(_grouped(geometry, padded, delta), expected)
    if groups == 1:
        part = OuterProducts(_unfolded(geometry, padded), delta.flatten(2).mT, module.weight, module.bias)
        assert torch.equal(part.rows()[0], expected)


@pytest.mark.parametrize("positions, channels", [(2, 6), (6, 2), (40, 3)])  # noqa: PT006
@pytest.mark.parametrize("trained", ["both", "weight", "bias"])
@pytest.mark.parametrize("kept", [0, 10**6])
def test_the_two_forms_of_outer_products(
    monkeypatch: pytest.MonkeyPatch, positions: int, channels: int, trained: str, kept: int
) -> None:
    """By pairs of positions and by rows, which are kept for the gradient or computed block by block."""
    monkeypatch.setattr("jdbench.engine.parts.KEPT", kept)
    monkeypatch.setattr("jdbench.engine.parts.AT_ONCE", 1)
    module = nn.Linear(channels, 5).double()
    x, delta = integers(4, positions, channels, seed=0), integers(4, positions, 5, seed=1)
    module.weight.requires_grad_(trained != "bias")
    module.bias.requires_grad_(trained != "weight")
    part, w = factors_of(module, x, delta), integers(4, seed=3)
    J = torch.cat([r.flatten(1) for r in part.rows()], 1)
    for _ in range(2):  # also once the rows are kept instead of the factors
        assert torch.equal(part.gramian(), J @ J.mT)
        assert torch.equal(torch.cat([r.flatten(1) for r in part.rows()], 1), J)
        assert torch.equal(torch.cat([g.flatten() for g in part.gradient(w)]), J.mT @ w)
    if trained != "bias":
        for form in (OuterProducts._by_positions, OuterProducts._by_rows):
            again = factors_of(module, x, delta)
            assert torch.equal(form(again), J @ J.mT)
    for norms, bound in zip(part.rows(), part.bounds(), strict=True):
        assert (norms.flatten(1).norm(dim=1) <= bound * (1 + gamma(100))).all()


@pytest.mark.parametrize("padding", [None, 1])
@pytest.mark.parametrize("chunk", [1, 100, 2**22])
def test_the_two_forms_of_lookups(monkeypatch: pytest.MonkeyPatch, chunk: int, padding: int | None) -> None:
    monkeypatch.setattr("jdbench.engine.rules.embedding.CHUNK", chunk)
    module = nn.Embedding(7, 3, padding_idx=padding).double()
    x = torch.randint(0, 7, (4, 5), generator=torch.Generator().manual_seed(0))
    part = part_of(module, x, integers(4, 5, 3, seed=1))
    assert isinstance(part, Lookups)
    J = part.rows()[0].flatten(1)
    assert float(J.abs().sum()) > 0
    assert torch.equal(grow(part._by_positions(), part._e), J @ J.mT)
    assert torch.equal(grow(part._by_table(), part._e), J @ J.mT)
    w = integers(4, seed=2)
    assert torch.equal(part.gradient(w)[0].flatten(), J.mT @ w)


def test_outer_products_of_one_weight_join() -> None:
    module = nn.Linear(3, 4).double()
    parts = [
        factors_of(module, x, integers(5, T, 4, seed=T))
        for T, x in ((T, integers(5, T, 3, seed=9 + T)) for T in (1, 2))
    ]
    J = sum(torch.cat([r.flatten(1) for r in part.rows()], 1) for part in parts)
    (joined,) = merged(parts)
    assert isinstance(joined, OuterProducts)
    assert torch.equal(joined.gramian(), J @ J.mT)


def test_parts_that_share_one_of_two_parameters_add_their_rows() -> None:
    first, second, third = nn.Linear(3, 4).double(), nn.Linear(3, 4).double(), nn.Linear(3, 4).double()
    second.weight, third.bias = first.weight, second.bias
    parts = [
        factors_of(module, x, integers(5, 2, 4, seed=k))
        for k, module in enumerate((first, second, third))
        for x in [integers(5, 2, 3, seed=7 + k)]
    ]  # fmt: skip
    (a, ab), (b, bb), (c, cb) = (part.rows() for part in parts)
    J = torch.cat([r.flatten(1) for r in (a + b, ab, bb + cb, c)], 1)
    (one,) = merged(parts)
    assert isinstance(one, Rows)
    assert torch.equal(one.gramian(), J @ J.mT)


def test_a_linear_layer_with_many_places_shares_its_biases_product_with_other_small_parameters() -> None:
    module = nn.Linear(3, 4).double()
    trained = dict.fromkeys(module.parameters(), "p")
    x = integers(5, 2, 3, seed=0)
    (junction,) = walk(module(x), module, trained, KnownGraphs(module).is_constant(5), Signatures()).junctions
    junction.layouts[0] = Regular(0, 5, 1, 2)
    rule = rule_of(junction)
    assert rule is not None
    delta = integers(5, 2, 4, seed=1)
    found = {p: r for part in rule.parts(Arrival(junction, {0: delta}, 1))
             for p, r in zip(part.parameters, part.rows(), strict=True)}  # fmt: skip
    assert torch.equal(found[module.weight], delta.mT @ x)
    assert torch.equal(found[module.bias], delta.sum(1))


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_powers_of_two_are_exact(dtype: torch.dtype) -> None:
    e = torch.arange(-LARGEST, LARGEST + 1, dtype=torch.int32)
    ones = torch.ones(len(e), 1, dtype=dtype)
    assert shrink(ones, e).flatten().tolist() == [2.0**-k for k in e.tolist()]
    assert shrunk_weights(torch.ones(len(e), dtype=DOUBLE), e, dtype).tolist() == [2.0**k for k in e.tolist()]
    assert grow(torch.ones(len(e), len(e)), e)[0].tolist() == [2.0 ** (int(k) - LARGEST) for k in e]


def test_exponents_bring_the_largest_entry_between_a_half_and_one() -> None:
    rows = torch.tensor([[1.0, -3.0], [1e-30, 0.0], [-1e30, 5.0], [0.0, 0.0]])
    largest = shrink(rows, exponents(rows)).abs().amax(1)
    assert ((largest >= 0.5) & (largest < 1))[:3].all()
    assert float(largest[3]) == 0.0
    assert exponents(rows[:, :0]).tolist() == [0] * 4


@pytest.mark.parametrize("n", [5, 2**15 + 3, 2**17 + 1])
def test_inner_products_of_float32_rows(n: int) -> None:
    rows = torch.randn(4, n, generator=torch.Generator().manual_seed(0))
    exact = rows.double() @ rows.double().mT
    norms = exact.diagonal().sqrt()
    assert ((inner_products(rows) - exact).abs() <= gamma(1024, torch.float32) * norms.outer(norms)).all()


def test_a_convolution_with_few_positions_keeps_no_rows() -> None:
    """Rows would take 36864 numbers an instance, the factors 2560."""
    module = nn.Conv2d(64, 64, 3)
    x, delta = torch.randn(8, 64, 4, 4), torch.randn(8, 64, 2, 2)
    part = part_of(module, x, delta)
    assert isinstance(part, OuterProducts)
    J = torch.cat([r.flatten(1) for r in part.rows()], 1).double()
    norms = J.norm(dim=1)
    room = gamma(1024 + 4, torch.float32) * norms.outer(norms) * 4
    assert ((part.gramian() - J @ J.mT).abs() <= room).all()


@pytest.mark.parametrize(
    "sizes", [[1.0] * 4, [1e-30, 1e-12, 1.0, 1e3], [1e25, 1.0, 0.0, 1e-25], [1e-38, 1e-38, 1e38, 1e38]]
)
def test_inner_products_of_float32_rows_of_any_size(sizes: list[float]) -> None:
    rows = torch.rand(4, 2**15 + 1025, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        sizes
    ).unsqueeze(1)
    exact = rows.double() @ rows.double().mT
    norms = exact.diagonal().sqrt()
    assert ((inner_products(rows) - exact).abs() <= gamma(1025, torch.float32) * norms.outer(norms)).all()


@pytest.mark.parametrize("sizes", [[1.0, 2.0], [2.0**63, 0.0], [1e30, 1e-30], [1e45, 1e-45]])
def test_weights_of_any_size_multiply_float32_rows(sizes: list[float]) -> None:
    w = torch.tensor(sizes, dtype=DOUBLE)
    rows = torch.tensor([[1e-30, -1e-38], [1e30, 1e38]])
    assert factors(w, torch.float32).dtype == (torch.float32 if max(sizes) < 2.0**64 else DOUBLE)
    exact, terms = rows.double().mT @ w, rows.double().mT.abs() @ w
    assert ((weighted_sum(w, rows) - exact).abs() <= gamma(4, torch.float32) * terms).all()


def test_a_grouped_gradient_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Conv2d(2, 4, 3)
    x, delta = (
        integers(5, 2, 6, 6, seed=0, dtype=torch.float32),
        integers(5, 4, 4, 4, seed=1, dtype=torch.float32),
    )
    expected = _grouped(geometry_of(module), x, delta)
    monkeypatch.setattr("jdbench.engine.rules.convolution.AT_ONCE", 2 * module.weight.numel())
    assert torch.equal(_grouped(geometry_of(module), x, delta), expected)
