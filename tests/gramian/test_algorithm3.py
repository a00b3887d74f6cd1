"""[JD] Algorithm 3 and the two rules that it is made of, (11) and (12)."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.gramian import Engine, chain_rule, gramian, reverse_accumulation, sum_rule

DOUBLE = torch.float64


def integers(*shape: int, seed: int) -> Tensor:
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).double()


def dense(rows: int, columns: int) -> tuple:
    """x, p → (Wx)² + b with p = (W, b): integer Jacobians that depend on x."""

    def layer(x: Tensor, p: Tensor) -> Tensor:
        return (p[: rows * columns].view(rows, columns) @ x).square() + p[rows * columns :]

    return layer, rows * columns + rows


def test_chain_rule_11() -> None:
    """F(x) = f(g(x)) has Jacobian J_f J_g: exact on integers."""
    J_g, J_f = integers(4, 6, seed=0), integers(3, 4, seed=1)
    assert torch.equal(chain_rule(gramian(J_g), J_f), gramian(J_f @ J_g))


def test_sum_rule_12() -> None:
    blocks = [integers(3, n, seed=n) for n in (1, 4, 6)]
    assert torch.equal(sum_rule([gramian(J) for J in blocks]), gramian(torch.cat(blocks, 1)))


def test_sum_rule_needs_an_input() -> None:
    with pytest.raises(InputError, match="at least one"):
        sum_rule([])


def test_algorithm_3_gives_the_gramian_of_the_whole_jacobian() -> None:
    (f0, n0), (f1, n1), (f2, n2) = dense(3, 2), dense(4, 3), dense(2, 4)
    layers, p = [f0, f1, f2], [integers(n, seed=n).sign() for n in (n0, n1, n2)]
    x = integers(2, seed=9).sign()

    def network(*p: Tensor) -> Tensor:
        return f2(f1(f0(x, p[0]), p[1]), p[2])

    J = torch.cat(torch.func.jacrev(network, argnums=(0, 1, 2))(*p), 1)
    assert float(J.square().sum()) < 2**53
    assert float(J.abs().sum()) > 0
    assert torch.equal(reverse_accumulation(layers, p, x), J @ J.mT)


def test_a_layer_without_parameters_adds_nothing() -> None:
    f, n = dense(3, 2)
    x, p = integers(2, seed=1), integers(n, seed=2)
    empty = torch.zeros(0, dtype=DOUBLE)
    G = reverse_accumulation([f, lambda x, _: x.relu()], [p, empty], x)
    J = torch.func.jacrev(lambda p: f(x, p).relu())(p)
    assert torch.equal(G, J @ J.mT)


def test_the_engine_agrees_with_algorithm_3() -> None:
    """A batch of one, its outputs as tasks."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    for k, q in enumerate(model.parameters()):
        q.data = integers(*q.shape, seed=k)
    x = integers(3, seed=7)

    def linear(rows: int, columns: int):
        return lambda x, p: p[: rows * columns].view(rows, columns) @ x + p[rows * columns :]

    W1, b1, W2, b2 = (q.detach().flatten() for q in model.parameters())
    parameters = [torch.cat([W1, b1]), torch.zeros(0, dtype=DOUBLE), torch.cat([W2, b2])]
    reference = reverse_accumulation([linear(4, 3), lambda x, _: x.relu(), linear(2, 4)], parameters, x)
    with Engine(model) as engine:
        assert torch.equal(engine.gramian(model(x[None])), reference)


def test_layers_and_parameters_must_match() -> None:
    with pytest.raises(InputError, match="one vector a layer"):
        reverse_accumulation([dense(1, 1)[0]], [], torch.ones(1))
