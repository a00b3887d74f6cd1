"""Fused LSTM layers of the CPU, one operation for all steps: gradients of the gates go back through time.

With all h_t kept, the gates a_t = W x_t + b + U h_{t-1} + b' of all steps are computed at once, and c_t =
σ(f)c_{t-1} + σ(i)tanh(g), h_t = σ(o)tanh(c_t) are gone through backwards for δ_t = ∂loss/∂a_t. Then W, b and
U, b' have the gradients Σ_t δ_t ⊗ x_t, Σ_t δ_t and Σ_t δ_t ⊗ h_{t-1} (Hochreiter & Schmidhuber, 1997).
"""

import torch
from torch import Tensor

from jdbench.engine.arrival import Arrival, repeated
from jdbench.engine.graph import Junction
from jdbench.engine.layout import Regular
from jdbench.engine.origin import origin
from jdbench.engine.parts import OuterProducts, Part
from jdbench.engine.products import working
from jdbench.engine.structure import saved

LSTM = 2
"""What the operation calls the mode."""


def is_lstm(junction: Junction) -> bool:
    """Return whether one LSTM layer takes steps first and instances second, and its weights alone enter."""
    node = junction.node
    return (
        saved(node, "mode") == LSTM
        and all(1 <= i.number <= 4 for i in junction.inputs)
        and all(
            isinstance(layout, Regular) and layout == Regular(int(number == 0), layout.instances, 1, 1)
            for number, layout in junction.layouts.items()
        )
        and junction.shapes[0][1:] == junction.shapes[1]
    )


def lstm_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of the weights and biases of an LSTM layer."""
    x, h = (_by_instance(arrival, arrival.saved(name), 1) for name in ("input", "result0"))
    h0, c0 = (_by_instance(arrival, arrival.saved(name), 0).unsqueeze(1) for name in ("hx_", "cx_"))
    back = bool(arrival.saved("reverse"))
    deltas = {
        number: working(delta.squeeze(2 if number == 0 else 1)) for number, delta in arrival.deltas.items()
    }
    above = deltas.get(0, torch.zeros_like(h))
    if back:
        x, h, above = x.flip(1), h.flip(1), above.flip(1)
    before = torch.cat([h0, h[:, :-1]], 1)
    W, U, *biases = (working(arrival.saved(f"weight{k}")) for k in range(4))
    # A layer without biases is passed zeros, of the shapes of the weights.
    b, c = (t if t.ndim == 1 else t.new_zeros(()) for t in biases)
    gates = _gates(x @ W.mT + b + before @ U.mT + c, c0.squeeze(1), above, U, deltas.get(1), deltas.get(2))
    found: list[Part] = []
    for weight, bias, inputs in ((1, 3, x), (2, 4, before)):
        targets = [origin(arrival.inputs[k]) if k in arrival.inputs else None for k in (weight, bias)]
        if targets != [None, None]:
            found.append(OuterProducts(inputs, gates, *targets))
    return found


def _by_instance(arrival: Arrival, t: Tensor, axis: int) -> Tensor:
    return repeated(working(t).movedim(axis, 0), arrival.times)


def _gates(
    a: Tensor, c0: Tensor, above: Tensor, U: Tensor, last_h: Tensor | None, last_c: Tensor | None
) -> Tensor:
    """Return δ, shape ``[m, T, 4h]``, from the gates, in the order i, f, g, o, and gradients of all h_t."""
    steps = a.shape[1]
    i, f, g, o = a.chunk(4, 2)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cells = [c0]
    ig = i * g
    for t in range(steps):
        cells.append(torch.addcmul(ig[:, t], f[:, t], cells[t]))
    c = torch.stack(cells, 1)
    tanh_c = c[:, 1:].tanh()
    # What ∂h_t and ∂c_t are multiplied by on their way to each gate, for all steps at once.
    to_o = tanh_c * o * (1 - o)
    to_c = o * (1 - tanh_c * tanh_c)
    per_cell = torch.cat([g * i * (1 - i), c[:, :-1] * f * (1 - f), i * (1 - g * g)], 2)
    delta = torch.empty_like(a)
    h, size = last_h, c0.shape[1]
    d_c = torch.zeros_like(c0) if last_c is None else last_c
    for t in reversed(range(steps)):
        d_h = above[:, t] if h is None else above[:, t] + h
        d_c = torch.addcmul(d_c, d_h, to_c[:, t])
        delta[:, t, : 3 * size] = d_c.repeat(1, 3) * per_cell[:, t]
        delta[:, t, 3 * size :] = d_h * to_o[:, t]
        d_c = d_c * f[:, t]
        h = delta[:, t] @ U
    return delta
