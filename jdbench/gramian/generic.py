"""Any module: per-instance gradients by vector-Jacobian products of the module alone, called once more.

One vmapped product over all instances where torch can batch the module; otherwise the module is called on the
whole batch, with the random numbers of the first call, and its graph is gone through once an instance.
"""

import contextlib
import inspect
from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree  # pyright: ignore[reportPrivateUsage]

from jdbench.errors import InputError
from jdbench.gramian.call import Call
from jdbench.gramian.part import Part
from jdbench.gramian.rows import Rows
from jdbench.gramian.units import output_axis
from jdbench.gramian.vjp import vjp


def generic(call: Call, deltas: dict[int, Tensor], m: int, times: int) -> Part:
    """Return the per-instance gradients of all trained parameters of a module and of those inside it.

    Args:
        call: Of any module.
        deltas: Gradients of its outputs by their numbers, ``times`` for every instance, one after the other.
        m: Instances.
        times: Rows an instance.

    Returns:
        m · times rows.

    Raises:
        InputError: An output does not count instances along the axis that it should.
    """
    call.check_unchanged()
    for number, delta in deltas.items():
        axis = output_axis(call.module, number)
        if delta.ndim <= axis or delta.shape[axis] != m * times:
            raise InputError(no_instances(call.path, delta, m, times))
    trained = {name: p for name, p in call.module.named_parameters() if p.requires_grad}
    # The fused kernels of attention have no batching rule.
    with _as_it_was(call), sdpa_kernel(SDPBackend.MATH):
        try:
            rows = _vmapped(call, deltas, trained, m, times)
        except RuntimeError:  # random, without a batching rule, or with control flow that reads data
            rows = _one_by_one(call, deltas, trained, m, times)
    return Rows({p: rows[name] for name, p in trained.items()})


def _vmapped(
    call: Call, deltas: dict[int, Tensor], trained: dict[str, Parameter], m: int, times: int
) -> dict[str, Tensor]:
    leaves, spec = pytree.tree_flatten((call.args, call.kwargs))
    axes = _input_axes(call, leaves, m)
    # Every instance becomes a batch of one.
    leaves = [
        leaf if axis is None else repeated(leaf.unflatten(axis, (m, -1)), times, axis)
        for leaf, axis in zip(leaves, axes, strict=True)
    ]
    counted = [number for number, axis in enumerate(axes) if axis is not None]
    output_axes = [output_axis(call.module, number) for number in deltas]
    gradients = [d.unflatten(axis, (-1, 1)) for d, axis in zip(deltas.values(), output_axes, strict=True)]
    constant = _constants(call.module, trained)

    def weighed(parameters: dict[str, Tensor], inputs: list[Tensor], gradients: list[Tensor]) -> Tensor:
        mine = list(leaves)
        for number, x in zip(counted, inputs, strict=True):
            mine[number] = x
        args, kwargs = pytree.tree_unflatten(mine, spec)
        output = torch.func.functional_call(call.module, {**constant, **parameters}, args, kwargs)
        outputs = pytree.tree_leaves(output)
        return torch.stack([(outputs[n] * d).sum() for n, d in zip(deltas, gradients, strict=True)]).sum()

    in_dims = (None, [axes[number] for number in counted], output_axes)
    detached = {name: p.detach() for name, p in trained.items()}
    inputs = [leaves[number] for number in counted]
    product = torch.func.vmap(torch.func.grad(weighed), in_dims=in_dims, randomness="error")
    return product(detached, inputs, gradients)


def _one_by_one(
    call: Call, deltas: dict[int, Tensor], trained: dict[str, Parameter], m: int, times: int
) -> dict[str, Tensor]:
    with torch.enable_grad(), torch.random.fork_rng(_cuda(call)):
        torch.set_rng_state(call.random_states[0])
        for device, state in zip(_cuda(call), call.random_states[1:], strict=True):
            torch.cuda.set_rng_state(state, device)
        again = {name: p.detach().requires_grad_() for name, p in trained.items()}
        output = torch.func.functional_call(
            call.module, {**_constants(call.module, trained), **again}, call.args, call.kwargs
        )
    outputs = pytree.tree_leaves(output)
    ys = [outputs[number] for number in deltas]
    rows = {name: p.new_zeros(m * times, *p.shape) for name, p in again.items()}
    for row in range(m * times):
        seeds: list[Tensor] = []
        for (number, delta), y in zip(deltas.items(), ys, strict=True):
            axis = output_axis(call.module, number)
            seed = torch.zeros_like(y)
            seed.select(axis, row // times).copy_(delta.select(axis, row))
            seeds.append(seed)
        found = vjp(ys, list(again.values()), seeds, retain_graph=True)
        for name, g in zip(again, found, strict=True):
            if g is not None:
                rows[name][row] = g
    return rows


def repeated(x: Tensor, times: int, axis: int = 0) -> Tensor:
    """Return x with every slice along an axis repeated, as rows (instance, task) want it.

    Args:
        x: Any tensor.
        times: How often.
        axis: Which axis.

    Returns:
        x itself for once.
    """
    return x if times == 1 else x.repeat_interleave(times, axis)


def _constants(module: nn.Module, trained: dict[str, Parameter]) -> dict[str, Tensor]:
    """Frozen parameters, and copies of the buffers: a second call must not update them a second time."""
    frozen = {name: p.detach() for name, p in module.named_parameters() if name not in trained}
    return {**frozen, **{name: b.detach().clone() for name, b in module.named_buffers()}}


def _cuda(call: Call) -> list[torch.device]:
    device = next(call.module.parameters()).device
    return [device] if device.type == "cuda" else []


@contextlib.contextmanager
def _as_it_was(call: Call) -> Generator[None]:
    if call.autocast is None:
        yield
    else:
        with torch.autocast(call.autocast[0], call.autocast[1]):
            yield


def _input_axes(call: Call, leaves: list[Any], m: int) -> list[int | None]:
    """The axis of every leaf that counts instances, or a multiple of them."""
    named: dict[int, int | None] = {}
    if isinstance(call.module, nn.RNNBase | nn.MultiheadAttention):
        bound = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs).arguments
        first = 0 if call.module.batch_first else 1
        axes = {"input": first, "hx": 1, "query": first, "key": first, "value": first, "key_padding_mask": 0}
        if isinstance(mask := bound.get("attn_mask"), Tensor):
            axes["attn_mask"] = 0
            named = {id(mask): None if mask.ndim == 2 else 0}
        for name, value in bound.items():
            for leaf in pytree.tree_leaves(value):
                named.setdefault(id(leaf), axes.get(name))
        return [named[id(leaf)] if isinstance(leaf, Tensor) else None for leaf in leaves]
    return [0 if isinstance(leaf, Tensor) and leaf.ndim > 0 and leaf.shape[0] == m else None for leaf in leaves]


def no_instances(path: str, delta: Tensor, m: int, times: int) -> str:
    """Return what to say of an output that does not count instances.

    Args:
        path: Of the module.
        delta: Gradient of its output.
        m: Instances.
        times: Rows an instance.

    Returns:
        The message.
    """
    per_instance = f" ({times} rows an instance)" if times > 1 else ""
    return (
        f"module={path!r}, required an output whose first axis counts the {m} instances{per_instance}, got one "
        f"whose gradient has shape {tuple(delta.shape)}, keep instances first, or pass separable=False"
    )
