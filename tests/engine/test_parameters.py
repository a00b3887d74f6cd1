"""Parameters that enter other than by the layers of torch: bare ones, indexed, of containers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from jdbench.engine import Engine
from support.engine_agreement import DOUBLE, assert_agrees, assert_model_agrees, normal, squares

LABELS = torch.tensor([1, 0, 1, 3])

Formula = Callable[[Tensor, Tensor], Tensor]

MATRICES: dict[str, Formula] = {
    "x @ W": lambda x, W: x @ W,
    "x @ W.mT": lambda x, W: x @ W.mT,
    "W @ x.mT": lambda x, W: (W @ x.mT).mT,
    "W @ columns": lambda x, W: W @ x.unsqueeze(-1),
    "linear": functional.linear,
    "linear with bias": lambda x, W: functional.linear(x, W, W[0]),
    "einsum": lambda x, W: torch.einsum("...i,oi->...o", x, W),
    "bilinear form": lambda x, W: torch.einsum("...i,ij,...j->...", x, W, x).unsqueeze(-1),
    "einsum, two factors": lambda x, W: torch.einsum("...i,ij,kj->...k", x, W, W),
    "matrix power": lambda x, W: x @ torch.matrix_power(W, 3),
    "exponential": lambda x, W: x @ torch.linalg.matrix_exp(W),
    "solve": lambda x, W: torch.linalg.solve(W + 5 * torch.eye(4, dtype=W.dtype), x.unsqueeze(-1)),
    "inverse": lambda x, W: x @ torch.linalg.inv(W + 5 * torch.eye(4, dtype=W.dtype)),
    "product of parts": lambda x, W: x[..., :2] @ W[:2] + x[..., 2:] @ W[2:],
    "kronecker": lambda x, W: x.repeat_interleave(4, -1) @ torch.kron(W, W).mT,
    "tensordot": lambda x, W: torch.tensordot(x, W, ([x.ndim - 1], [1])),
    "cdist": lambda x, W: torch.cdist(x.reshape(len(x), -1, 4), W.expand(len(x), 4, 4)),
    "baddbmm": lambda x, W: torch.baddbmm(
        x.reshape(len(x), -1, 4), x.reshape(len(x), -1, 4), W.expand(len(x), 4, 4), beta=0.5, alpha=2.0
    ),
    "addmm": lambda x, W: torch.addmm(W[0], x.reshape(-1, 4), W, beta=0.5, alpha=-2.0).view(x.shape),
    "addmm, a bias a row": lambda x, W: torch.addmm(
        W.repeat(x.numel() // 16, 1)[:, :1], x.reshape(-1, 4), W, alpha=0.5
    ).view(x.shape),
    "addmm, a matrix of biases": lambda x, W: torch.addmm(
        W if x.ndim == 2 else W.repeat(x.numel() // 16, 1), x.reshape(-1, 4), W
    ).view(x.shape),
    "addmv": lambda x, W: x @ torch.addmv(W[0], W, W[1]).unsqueeze(-1),
}


class Bare(nn.Module):
    """A parameter of the model itself, in a formula, on top of a layer and below another."""

    def __init__(self, shape: tuple[int, ...], f: Formula) -> None:
        super().__init__()
        self.first, self.own, self.f = nn.Linear(4, 4), nn.Parameter(torch.randn(shape) * 0.5), f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(torch.tanh(self.first(x)), self.own)


@pytest.mark.parametrize("formula", MATRICES)
@pytest.mark.parametrize("shape", [(4, 4), (4, 3, 4), (4, 4, 4)], ids=str)
def test_matrices(formula: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    f, x = MATRICES[formula], normal(*shape)
    assert_model_agrees(Bare((4, 4), f).double(), lambda m: squares(m(x)))
    # Below it there is no layer, so that what it meets is no part of the graph.
    W = nn.ParameterDict({"W": normal(4, 4, seed=2)})
    assert_model_agrees(W, lambda m: squares(f(x, m["W"])))


VECTORS: dict[str, Formula] = {
    "sum": lambda x, v: x + v,
    "difference": lambda x, v: v - x,
    "product": lambda x, v: x * v,
    "quotient": lambda x, v: x / v + v / (2 + x),
    "power": lambda x, v: (x.abs() + 1) ** v,
    "base": lambda x, v: (v.abs() + 1) ** x,
    "where": lambda x, v: torch.where(x > 0, v, x * v),
    "clamp": lambda x, v: torch.maximum(torch.minimum(x, v.abs()), -v.abs()),
    "clamp with tensors": lambda x, v: torch.clamp(x, min=-v.abs(), max=v.abs()),
    "lerp": lambda x, v: torch.lerp(x, v, 0.3),
    "lerp by weights": lambda x, v: torch.lerp(x, 2 * x, v),
    "addcmul": lambda x, v: torch.addcmul(x, x, v, value=0.5),
    "addcdiv": lambda x, v: torch.addcdiv(x, x, v, value=0.5),
    "addcmul, twice": lambda x, v: torch.addcmul(v, v, x, value=-2.0),
    "atan2": torch.atan2,
    "hypot": torch.hypot,
    "maximum": torch.maximum,
    "logaddexp": torch.logaddexp,
    "prelu": lambda x, v: functional.prelu(x.reshape(-1, 4), v).view(x.shape),
    "layer norm": lambda x, v: functional.layer_norm(x, (4,), v, v),
    "rms norm": lambda x, v: functional.rms_norm(x, (4,), v),
    "softplus of it": lambda x, v: x * functional.softplus(v),
    "temperature": lambda x, v: (x * v.mean().exp()).softmax(-1),
    "appended": lambda x, v: torch.cat([v.expand(*x.shape[:-1], 4), x], -1),
    "stacked": lambda x, v: torch.stack([x, v.expand_as(x)], 1),
    "expanded": lambda x, v: v.expand_as(x) * 2 + x,
    "repeated": lambda x, v: v.repeat(*x.shape[:-1], 1) * x,
    "broadcast": lambda x, v: torch.broadcast_tensors(v, x)[0] * x,
    "new axis": lambda x, v: v[None] * x,
    "slices": lambda x, v: x[..., :2] * v[:2] + x[..., 2:] * v[2:],
    "unbound": lambda x, v: sum(x * (k + 1) * s for k, s in enumerate(v.unbind())),
    "filled": lambda x, v: x.masked_fill(x > 0, v.sum()),
    "masked scatter": lambda x, v: x.masked_scatter(x > 1e9, v) + v,
    "index_add": lambda x, v: x.index_add(x.ndim - 1, LABELS, v.expand_as(x)),
    "scatter": lambda x, v: x.scatter_add(x.ndim - 1, LABELS.expand_as(x), v.expand_as(x)),
    "index_copy": lambda x, v: x.index_copy(x.ndim - 1, LABELS[1:], v[1:].expand(*x.shape[:-1], 3)),
    "written": lambda x, v: _written(x, v),
    "outer": lambda x, v: x.unsqueeze(-1) * v,
    "cross": lambda x, v: torch.linalg.cross(x[..., :3], v[:3].expand_as(x[..., :3])),
    "cosine": lambda x, v: functional.cosine_similarity(x, v, -1).unsqueeze(-1),
    "polynomial": lambda x, v: v[0] + x * (v[1] + x * (v[2] + x * v[3])),
    "cumulative": lambda x, v: x * v.cumsum(0).flip(0),
    "sorted": lambda x, v: x * v.sort().values,
    "max": lambda x, v: x * v.max(),
    "normalized": lambda x, v: x * functional.normalize(v, dim=0),
    "detached in part": lambda x, v: x * (v + v.detach()),
    "a loss on it too": lambda x, v: x + v.square().sum(),
    "not at all": lambda x, v: x + 0 * v,
    "complex": lambda x, v: torch.view_as_real(x * torch.polar(torch.ones_like(v), v)),
    "spectrum": lambda x, v: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(v), n=4),
}


def _written(x: Tensor, v: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[..., 1:] = v[1:]
    out[..., 0] += x[..., 0] * v[0]
    return out + x


@pytest.mark.parametrize("formula", VECTORS)
@pytest.mark.parametrize("shape", [(4, 4), (4, 3, 4), (4, 4, 4)], ids=str)
def test_vectors(formula: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    f, x = VECTORS[formula], normal(*shape)
    assert_model_agrees(Bare((4,), f).double(), lambda m: squares(m(x)))
    v = nn.ParameterDict({"v": normal(4, seed=2)})
    if formula not in {"not at all"}:
        assert_model_agrees(v, lambda m: squares(f(x, m["v"])))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_a_parameter_of_one_number(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = normal(4, 4)
    for f in (
        lambda x, s: x * s.exp(), lambda x, s: x / s, lambda x, s: x + s, lambda x, s: x ** s.abs(),
        lambda x, s: s * 3.0 - x, lambda x, s: torch.where(x > 0, x, s * x),
    ):  # fmt: skip
        model = Bare(shape, lambda x, s, f=f: f(x.abs() + 1, s)).double()
        assert_model_agrees(model, lambda m: squares(m(x)))
        assert_agrees(Engine(model), squares(model(x)).mean(0, keepdim=True), separable=False)


LOOKUPS: dict[str, Formula] = {
    "labels": lambda x, W: x * W[LABELS],
    "labels of positions": lambda x, W: x * W[LABELS][:, None],
    "positions": lambda x, W: x + W[: x.shape[1]],
    "backwards": lambda x, W: x + W.flip(0)[: x.shape[1]],
    "index_select": lambda x, W: x[:, 0] * W.index_select(0, LABELS),
    "gather": lambda x, W: x[:, 0] + W.gather(1, LABELS[:, None] + torch.zeros(4, 4, dtype=torch.long)),
    "take": lambda x, W: x[:, 0] + W.take(LABELS)[:, None],
    "mask": lambda x, W: x + W[torch.tensor([True, False, True, False])].sum(0),
    "functional": lambda x, W: x + functional.embedding(LABELS, W)[:, None],
    "bag": lambda x, W: x[:, 0] + functional.embedding_bag(LABELS.repeat(4, 1), W, mode="mean"),
    "pairs": lambda x, W: x[:, 0] * W[LABELS, LABELS.flip(0)][:, None],
    "bias table": lambda x, W: x @ x.mT + W[(LABELS[:, None] - LABELS).abs()][:3, :3, 0],
    "one-hot": lambda x, W: x[:, 0] + functional.one_hot(LABELS, 4).to(W) @ W,
}


@pytest.mark.parametrize("formula", LOOKUPS)
def test_look_ups(formula: str) -> None:
    torch.manual_seed(0)
    f = LOOKUPS[formula]
    length = 4 if formula == "labels" else 3
    x = normal(4, length, 4)
    if formula == "labels":
        x = x[:, 0]
    assert_model_agrees(Bare((4, 4), f).double(), lambda m: squares(m(x)))
    W = nn.ParameterDict({"W": normal(4, 4, seed=2)})
    assert_model_agrees(W, lambda m: squares(f(x, m["W"])))


class Vision(nn.Module):
    """Class token, positions, layer scale, temperature: parameters of containers."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, 8, 2, 2), nn.Parameter(torch.randn(1, 1, 8))
        self.positions, self.temperature = nn.Parameter(torch.randn(1, 5, 8)), nn.Parameter(torch.ones(()))
        self.scale = nn.ParameterList(torch.full((8,), 0.1) for _ in range(2))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.head = nn.Linear(8, 3)
        self.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        for scale, block in zip(self.scale, self.blocks, strict=True):
            x = x + scale * block(x)
        return self.head(x[:, 0]) * self.temperature.exp()


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
@pytest.mark.parametrize("instances", [2, 4, 5])
def test_own_parameters_of_a_container(instances: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model, x = Vision(dtype), normal(instances, 1, 4, 4, dtype=dtype)
    labels = torch.arange(instances) % 3
    assert_model_agrees(model, lambda m: functional.cross_entropy(m(x), labels, reduction="none"), dtype=dtype)
