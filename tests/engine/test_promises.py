"""The engine's promises beside the values: passes, hooks, losses of every kind, errors, precision, peers."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from jdbench.aggregators import GradDrop, Mean, UPGrad
from jdbench.gramian import Engine
from jdbench.rounding import gamma
from support.engine_agreement import DOUBLE, Drawn, gradient, jacobian
from support.small_network import batch, losses_of, network


def test_one_forward_and_one_backward() -> None:
    """From the third step on; the first one tells where the instances lie, and checks."""
    model, x = network(), batch()
    calls = dict.fromkeys(model, 0)
    went: dict[Node, int] = {}

    def count(module: nn.Module, *_: object) -> None:
        calls[module] += 1

    for module in model:
        module.register_forward_hook(count)
    with Engine(model) as engine:
        for _ in range(2):
            engine.gramian(losses_of(model, x))
        for module in model:
            calls[module] = 0
        losses = losses_of(model, x)
        pending, nodes = [losses.grad_fn], set()
        while pending:
            node = pending.pop()
            if node is not None and node not in nodes:
                nodes.add(node)
                pending += [parent for parent, _ in node.next_functions]
        for node in nodes:
            went[node] = 0
            node.register_prehook(lambda *_, node=node: went.__setitem__(node, went[node] + 1))
        model.zero_grad()
        engine.backward(losses, UPGrad())
    assert set(calls.values()) == {1}
    accumulators = {n: k for n, k in went.items() if n.name() == "torch::autograd::AccumulateGrad"}
    assert len(accumulators) == len(list(model.parameters()))
    assert set(accumulators.values()) == {1}, "torch adds each gradient once"
    passes = {k for n, k in went.items() if n not in accumulators}
    assert 1 in passes
    assert passes <= {0, 1}, "no node is gone through twice; those below the first module never"


def test_no_weight_gradient_is_computed_in_the_pass() -> None:
    """The pass asks each convolution for the gradient of its input alone."""
    model, x = network(), batch()
    masks: list[list[bool]] = []

    class Masks(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution_backward.default:
                masks.append(args[10])
            return func(*args, **(kwargs or {}))

    with Engine(model) as engine:
        for _ in range(2):
            engine.gramian(losses_of(model, x))
        losses = losses_of(model, x)
        with Masks():
            engine.backward(losses, Mean())
    assert masks == [[True, False, False]], "the second convolution; in float64 rows come from products"


def test_the_engine_hooks_nothing() -> None:
    model, x = network(), batch()

    def hooks() -> int:
        modules = sum(
            len(getattr(module, name))
            for module in model.modules()
            for name in vars(module)
            if name.endswith("_hooks") or "hooks_with" in name
        )
        return modules + sum(len(p._backward_hooks or ()) for p in model.parameters())

    forwards = [type(module).forward for module in model]
    with Engine(model) as engine:
        engine.gramian(losses_of(model, x))
        assert hooks() == 0
        assert [vars(module).get("forward", type(module).forward) for module in model] == forwards


def test_the_gradient_adds_to_what_is_there_and_hooks_on_parameters_run() -> None:
    model, x = network(), batch()
    J = jacobian(losses_of(model, x), model)
    seen: list[str] = []
    model[0].weight.register_post_accumulate_grad_hook(lambda _: seen.append("accumulated"))
    with Engine(model) as engine:
        for _ in range(2):
            w = engine.backward(losses_of(model, x), Drawn())
    assert seen == ["accumulated"] * 2
    expected = 2 * J.mT @ w
    assert (gradient(model) - expected).norm() <= gamma(10_000) * (w.abs() * J.norm(dim=1)).sum()


def test_aggregation_is_jt_w_with_the_weights_of_the_gramian() -> None:
    model, x = network(), batch()
    J = jacobian(losses_of(model, x), model)
    with Engine(model) as engine:
        losses = losses_of(model, x)
        G = engine.gramian(losses)
        w = engine.backward(losses, UPGrad())
    assert torch.equal(w, UPGrad().weights(G))
    assert (gradient(model) - J.mT @ w).norm() <= gamma(10_000) * (w.abs() * J.norm(dim=1)).sum()


def test_losses_that_are_not_separable() -> None:
    """A batch normalization in training mode, and losses that mix the batch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.randn(6, 3, dtype=DOUBLE)
    with Engine(model) as engine:
        losses = model(x).square().mean(0)
        J = jacobian(losses, model)
        G = engine.gramian(losses, separable=False)
        w = engine.backward(losses, Drawn(), separable=False)
    n = J.shape[1]
    assert ((G - J @ J.mT).abs() <= gamma(100 * n) * J.norm(dim=1).outer(J.norm(dim=1))).all()
    assert (gradient(model) - J.mT @ w).norm() <= gamma(100 * n) * (w.abs() * J.norm(dim=1)).sum()


def test_a_row_that_is_tiny_keeps_its_digits_in_float32() -> None:
    """Squares of gradients of 1e-28 are zero in float32."""
    model, x = network(dtype=torch.float32), batch(4, dtype=torch.float32)
    scale = torch.tensor([1.0, 1e-9, 1e-20, 1e-28])
    with Engine(model) as engine:
        losses = losses_of(model, x) * scale
        J = jacobian(losses, model)
        G = engine.gramian(losses)
        engine.backward(losses, UPGrad())
    norms = J.norm(dim=1)
    assert float(norms[3]) < 1e-25
    room = gamma(1024 + 36, torch.float32) * norms[:, None] * norms
    assert ((G - J @ J.mT).abs() <= room).all()
    cosines = J @ gradient(model) / norms
    assert (cosines >= -gamma(1024 + 36, torch.float32) * 4 * gradient(model).norm()).all()


@pytest.mark.parametrize("inside", [False, True], ids=["losses", "backward too"])
def test_mixed_precision(inside: bool) -> None:
    """Gramians of the rounded layers' own rows: they differ from autograd's by its rounding to bfloat16."""
    model, x = network(dtype=torch.float32), batch(dtype=torch.float32)
    with Engine(model) as engine:
        with torch.autocast("cpu", torch.bfloat16):
            losses = losses_of(model, x)
            J = jacobian(losses, model)
            if inside:
                G = engine.gramian(losses, check=True)
                w = engine.backward(losses, Mean())
        if not inside:
            G = engine.gramian(losses, check=True)
            w = engine.backward(losses, Mean())
    assert G.dtype == DOUBLE
    norms = J.norm(dim=1)
    room = 2 * gamma(8, torch.bfloat16) * norms.outer(norms)
    assert ((G - J @ J.mT).abs() <= room).all()
    assert (gradient(model) - J.mT @ w).norm() <= gamma(8, torch.bfloat16) * (w * norms).sum()


def test_dropout_keeps_its_mask() -> None:
    """Between layers, and within one that has to be called again."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.4, batch_first=True)
    model = nn.Sequential(layer, nn.Dropout(0.5), nn.LSTM(4, 3, 2, dropout=0.3, batch_first=True)).double()
    x = torch.randn(3, 4, 4, dtype=DOUBLE)
    with Engine(model) as engine:
        losses = model(x)[0].square().sum((1, 2))
        J = jacobian(losses, model)
        G = engine.gramian(losses)
        engine.backward(losses, Mean())
    norms = J.norm(dim=1)
    assert ((G - J @ J.mT).abs() <= gamma(100 * J.shape[1]) * norms.outer(norms)).all()
    assert (gradient(model) - J.mean(0)).norm() <= gamma(100 * J.shape[1]) * norms.mean()


def test_sequences_first() -> None:
    """Recurrent and attention modules say where instances are; masks go with them."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.attention = nn.GRU(3, 4), nn.MultiheadAttention(4, 2)

        def forward(self, x: Tensor, padding: Tensor, mask: Tensor) -> Tensor:
            y, state = self.gru(x)
            z, weights = self.attention(y, y, y, key_padding_mask=padding, attn_mask=mask)
            return (z.square().sum((0, 2)) + state.sum((0, 2))) * (1 + weights[:, 0, 0])

    torch.manual_seed(0)
    model, m, T = Reader().double(), 3, 3
    padding = torch.zeros(m, T, dtype=torch.bool)
    padding[1, 2] = True
    x = torch.randn(T, m, 3, dtype=DOUBLE)
    for mask in (torch.ones(T, T).triu(1).bool(), torch.randn(m * 2, T, T, dtype=DOUBLE)):
        padded = padding if mask.dtype == torch.bool else padding.double() * -9.0
        with Engine(model) as engine:
            losses = model(x, padded, mask)
            J = jacobian(losses, model)
            G = engine.gramian(losses, check=True)
        norms = J.norm(dim=1)
        assert ((G - J @ J.mT).abs() <= gamma(100 * J.shape[1]) * norms.outer(norms)).all()


def test_forward_passes_that_are_not_differentiated_leave_nothing() -> None:
    model, x = network(), batch()
    J = jacobian(losses_of(model, x), model)
    with Engine(model) as engine:
        model(x)
        with torch.no_grad():
            model(x)
        stale = losses_of(model, -x)
        G = engine.gramian(losses_of(model, x))
        del stale
    assert ((G - J @ J.mT).abs() <= gamma(10_000) * J.norm(dim=1).outer(J.norm(dim=1))).all()


def test_an_aggregator_without_weights_gets_the_jacobian() -> None:
    model, x = network(), batch()
    engine = Engine(model)
    J = engine.jacobian(losses_of(model, x))
    generator = torch.Generator().manual_seed(3)
    assert engine.backward(losses_of(model, x), GradDrop(), generator=generator) is None
    assert torch.equal(gradient(model), GradDrop()(J, generator=torch.Generator().manual_seed(3)))


def test_what_comes_before_and_after_the_model_is_left_alone() -> None:
    """An encoder in front that trains by itself, an input that requires a gradient, a head behind."""
    torch.manual_seed(0)
    encoder, model, head = nn.Conv2d(1, 1, 1).double(), network(), nn.Linear(3, 1).double()
    x = batch().requires_grad_()
    with Engine(model) as engine:
        for inputs in (x, encoder(x), encoder(x.detach())):
            losses = head(model(inputs)).flatten()
            J = jacobian(losses, model)
            norms = J.norm(dim=1)
            G = engine.gramian(losses, check=True)
            assert ((G - J @ J.mT).abs() <= gamma(10_000) * norms.outer(norms)).all()
            engine.backward(losses, Mean())
    assert x.grad is None
    assert all(p.grad is None for module in (encoder, head) for p in module.parameters())


def test_a_model_that_is_called_twice() -> None:
    model, x = network(), batch()
    with Engine(model) as engine:
        losses = (model(x) * model(-x)).sum(1)
        J = jacobian(losses, model)
        norms = J.norm(dim=1)
        assert ((engine.gramian(losses) - J @ J.mT).abs() <= gamma(10_000) * norms.outer(norms)).all()
