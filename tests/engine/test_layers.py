"""Layers that torch comes with, of every option that changes what is computed, against autograd."""

import math
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import rnn
from torch.utils.checkpoint import checkpoint

from jdbench.engine import Engine
from jdbench.errors import InputError
from support.engine_agreement import DOUBLE, Function, assert_agrees, assert_model_agrees, normal, squares

B = 4

ATTENTIONS: list[dict[str, object]] = [
    {}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 3, "vdim": 5},
]  # fmt: skip


@pytest.mark.parametrize("options", ATTENTIONS, ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("length", [3, B])
def test_attention(options: dict[str, object], batch_first: bool, need_weights: bool, length: int) -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(4, 2, batch_first=batch_first, **options).double()
    query, key = normal(B, length, 4), normal(B, length + 1, options.get("kdim", 4), seed=2)
    value = normal(B, length + 1, options.get("vdim", 4), seed=3)
    padding = torch.zeros(B, length + 1, dtype=torch.bool)
    padding[1, -1] = True
    mask = torch.ones(length, length + 1).triu(2).bool()
    inputs = [query, key, value] if batch_first else [t.transpose(0, 1) for t in (query, key, value)]

    def losses_of(model: nn.Module) -> Tensor:
        y, weights = model(*inputs, padding, need_weights, mask)
        losses = squares(y if batch_first else y.transpose(0, 1))
        return losses + (weights[:, 0, :2].sum(1) if need_weights else 0)

    assert_model_agrees(model, losses_of)


def test_attention_to_itself_and_with_a_mask_of_every_head() -> None:
    torch.manual_seed(0)
    x, mask = normal(B, B, 4), normal(2 * B, B, B, seed=5)
    model = nn.MultiheadAttention(4, 2, batch_first=True).double()
    assert_model_agrees(model, lambda m: squares(m(x, x, x, attn_mask=mask)[0]))
    assert_model_agrees(model, lambda m: squares(m(x, x, x, is_causal=True, attn_mask=_causal(B))[0]))


def _causal(length: int) -> Tensor:
    return nn.Transformer.generate_square_subsequent_mask(length).double()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer(batch_first: bool, norm_first: bool) -> None:
    torch.manual_seed(0)
    model = nn.Transformer(4, 2, 1, 1, 5, 0.2, batch_first=batch_first, norm_first=norm_first).double()
    source, target = normal(B, 3, 4), normal(B, 4, 4, seed=2)

    def losses_of(model: nn.Module) -> Tensor:
        if batch_first:
            return squares(model(source, target, tgt_mask=_causal(4)))
        y = model(source.transpose(0, 1), target.transpose(0, 1), tgt_mask=_causal(4))
        return y.square().sum((0, 2))

    assert_model_agrees(model, losses_of)


RECURRENT: list[dict[str, object]] = [
    {}, {"bias": False}, {"num_layers": 2, "dropout": 0.3}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True}, {"proj_size": 2}, {"proj_size": 2, "bidirectional": True},
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
@pytest.mark.parametrize("options", RECURRENT, ids=str)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("batch_first", [False, True])
def test_recurrent(kind: type[nn.Module], options: dict, batch_first: bool, dtype: torch.dtype) -> None:
    if "proj_size" in options and kind is not nn.LSTM:
        options = {"hidden_size": 2} | {k: v for k, v in options.items() if k != "proj_size"}
    torch.manual_seed(0)
    model = kind(3, **({"hidden_size": 4} | options), batch_first=batch_first).to(dtype)
    layers = model.num_layers * (2 if model.bidirectional else 1)
    x = normal(B, 3, 3, dtype=dtype)
    hidden = normal(layers, B, model.proj_size or model.hidden_size, seed=2, dtype=dtype)
    state = (hidden, normal(layers, B, model.hidden_size, seed=3, dtype=dtype)) if kind is nn.LSTM else hidden

    def losses_of(model: nn.Module, *state: object) -> Tensor:
        y, last = model(x if batch_first else x.transpose(0, 1), *state)
        last = sum(t.square().sum((0, 2)) for t in last) if isinstance(last, tuple) else last.sum((0, 2))
        return squares(y if batch_first else y.transpose(0, 1)) + last

    assert_model_agrees(model, losses_of, dtype=dtype)
    assert_model_agrees(model, lambda m: losses_of(m, state), dtype=dtype)


def test_a_recurrent_layer_whose_state_is_a_parameter() -> None:
    torch.manual_seed(0)
    model, x = nn.Module(), normal(B, 3, 3)
    model.gru, model.start = nn.GRU(3, 4, batch_first=True), nn.Parameter(torch.randn(1, 1, 4))
    model.double()
    assert_model_agrees(model, lambda m: squares(m.gru(x, m.start.expand(1, B, 4).contiguous())[0]))
    assert_model_agrees(model, lambda m: squares(m.gru(x, m.start.repeat(1, B, 1))[0]))


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("ordered", [False, True])
def test_packed_sequences(kind: type[nn.Module], ordered: bool) -> None:
    torch.manual_seed(0)
    model, x = nn.ModuleList([nn.Linear(3, 3), kind(3, 4, batch_first=True)]).double(), normal(B, 5, 3)
    lengths = torch.tensor([5, 3, 2, 1]) if ordered else torch.tensor([2, 5, 1, 3])

    def losses_of(model: nn.Module) -> Tensor:
        packed = rnn.pack_padded_sequence(model[0](x), lengths, batch_first=True, enforce_sorted=ordered)
        y, state = model[1](packed)
        last = state[0] if isinstance(state, tuple) else state
        return squares(rnn.pad_packed_sequence(y, batch_first=True)[0]) + last.sum((0, 2))

    assert_model_agrees(model, losses_of)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", [False, True])
def test_bags_of_embeddings(mode: str, offsets: bool) -> None:
    torch.manual_seed(0)
    model = nn.ModuleList([nn.EmbeddingBag(5, 4, mode=mode, padding_idx=0), nn.Linear(4, 2)]).double()
    words = torch.randint(0, 5, (B, 3)) if not offsets else torch.randint(0, 5, (9,))
    starts = torch.tensor([0, 2, 2, 6]) if offsets else None
    weights = torch.rand(words.shape, dtype=DOUBLE) if mode == "sum" else None
    assert_model_agrees(model, lambda m: squares(m[1](m[0](words, starts))))
    if weights is not None:
        assert_model_agrees(model, lambda m: squares(m[1](m[0](words, starts, weights))))


@pytest.mark.parametrize("options", [{}, {"padding_idx": 1}, {"max_norm": 0.5}, {"sparse": True}], ids=str)
@pytest.mark.parametrize("shape", [(B,), (B, 3), (B, B)], ids=str)
def test_embeddings(options: dict, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 3, **options), nn.Linear(3, 2)).double()
    words = torch.randint(0, 5, shape)
    assert_model_agrees(model, lambda m: squares(m(words)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(B,), (B, 3), (B, B)], ids=str)
def test_bilinear(bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(3, 3), nn.Bilinear(3, 2, 2, bias=bias)]).double()
    x, y = normal(*shape, 3), normal(*shape, 2, seed=2)
    assert_model_agrees(model, lambda m: squares(m[1](m[0](x), y)))
    assert_model_agrees(nn.Bilinear(3, 3, 2, bias=bias).double(), lambda m: squares(m(x, x)))


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints(reentrant: bool) -> None:
    """What is computed again is read once alone; the reentrant kind cannot be asked for single gradients."""
    torch.manual_seed(0)
    model, x = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)]).double(), normal(B, 4)
    middle = nn.Sequential(model[1], nn.Tanh(), nn.Dropout(0.3))

    def losses_of(model: nn.Module) -> Tensor:
        return squares(model[2](checkpoint(middle, model[0](x), use_reentrant=reentrant)))

    for check in ("first", False):
        with pytest.raises(InputError, match=r"torch.utils.checkpoint.*separable=False"):
            Engine(model).gramian(losses_of(model), check=check)
    if not reentrant:
        assert_agrees(Engine(model), losses_of(model), separable=False)


def test_a_function_mapped_over_instances() -> None:
    torch.manual_seed(0)
    x = normal(B, 4)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    assert_model_agrees(model, lambda m: torch.func.vmap(m, randomness="different")(x).square().sum(1))
    assert_model_agrees(model, lambda m: torch.func.vmap(lambda row: m(row).square().sum())(x))
    assert_model_agrees(model, lambda m: squares(torch.func.vmap(m[2], in_dims=1, out_dims=1)(m[0](x).mT).mT))


def test_a_derivative_within_the_loss() -> None:
    """Gradient penalties differentiate twice."""
    torch.manual_seed(0)
    model, x = (
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).double(),
        normal(B, 4).requires_grad_(),
    )

    def losses_of(model: nn.Module) -> Tensor:
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square() + model(x).squeeze(1)

    assert_model_agrees(model, losses_of)


@pytest.mark.parametrize("bfloat", ["modules", "autocast"])
def test_narrow_layers(bfloat: str) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True)
    model, x = nn.Sequential(nn.Linear(4, 8), layer, nn.Linear(8, 2)), normal(B, 3, 4, dtype=torch.float32)
    if bfloat == "modules":
        model.bfloat16()

    def losses_of(model: nn.Module) -> Tensor:
        if bfloat == "modules":
            return squares(model(x.bfloat16()).float())
        with torch.autocast("cpu", torch.bfloat16):
            return squares(model(x).float())

    # Roundings to bfloat16 of what autograd adds up, not one an entry of a gradient: 8 of them bound it here.
    engine, losses = Engine(model), losses_of(model)
    rows = [torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses]
    J = torch.stack([torch.cat([g.flatten().double() for g in row]) for row in rows])
    room = 8 * torch.finfo(torch.bfloat16).eps
    norms = J.norm(dim=1)
    assert ((engine.jacobian(losses).double() - J).norm(dim=1) <= room * norms).all()
    assert ((engine.gramian(losses, check=True) - J @ J.mT).abs() <= 2 * room * norms.outer(norms)).all()


def test_layers_of_two_dtypes() -> None:
    torch.manual_seed(0)
    model, x = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2).double()]), normal(B, 4, dtype=torch.float32)
    assert_model_agrees(model, lambda m: squares(m[1](m[0](x).double())), dtype=torch.float32)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_forward_or_traced_one() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(B, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, x)
    assert_model_agrees(model, lambda _: squares(traced(x)))


def test_losses_of_many_kinds() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)).double(), normal(B, 4)
    target, labels = normal(B, 3, seed=2), torch.tensor([0, 2, 1, 2])
    for f in (
        lambda y: functional.mse_loss(y, target, reduction="none").mean(1),
        lambda y: functional.smooth_l1_loss(y, target, reduction="none").sum(1),
        lambda y: functional.cross_entropy(y, labels, reduction="none", label_smoothing=0.1),
        lambda y: functional.nll_loss(y.log_softmax(1), labels, reduction="none"),
        lambda y: functional.kl_div(y.log_softmax(1), target.softmax(1), reduction="none").sum(1),
        lambda y: functional.binary_cross_entropy_with_logits(y[:, 0], labels.double() / 2, reduction="none"),
        lambda y: functional.multi_margin_loss(y, labels, reduction="none"),
        lambda y: functional.triplet_margin_loss(y, target, target.flip(0), reduction="none"),
        lambda y: torch.logsumexp(y, 1),
        lambda y: y.max(1).values,
        lambda y: y.topk(2, 1).values.prod(1),
        lambda y: y[torch.arange(B), labels],
        lambda y: torch.linalg.vector_norm(y, dim=1) * math.pi,
        lambda y: y.square(),
        lambda y: y.sum(1).clamp(max=0.1),
    ):
        assert_model_agrees(model, lambda m, f=f: f(m(x)))


def test_sequences_of_ctc() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(3, 5).double(), normal(6, B, 3)
    targets, lengths = torch.randint(1, 5, (B, 2)), torch.full((B,), 6)

    def losses_of(model: nn.Module) -> Tensor:
        return functional.ctc_loss(model(x).log_softmax(2), targets, lengths, lengths // 3, reduction="none")

    assert_model_agrees(model, losses_of)


def test_functions_of_modules_and_buffers() -> None:
    """`functional_call` with the model's own parameters, and with others."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(B, 4)
    own = dict(model.named_parameters())
    assert_model_agrees(model, lambda m: squares(torch.func.functional_call(m, own, (x,))))
    doubled = Function(model, lambda inner, x: torch.func.functional_call(
        inner, {name: 2 * p for name, p in inner.named_parameters()}, (x,)
    ))  # fmt: skip
    assert_model_agrees(doubled, lambda m: squares(m(x)))
