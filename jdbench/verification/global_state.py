"""What a call may leave changed in the whole process or thread: read before, compared after, put back.

One `Item` for each thing; whoever wants another watched adds one here.
"""

import contextlib
import os
import random
import sys
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

AUTOCAST_DEVICES = ("cpu", "cuda")

_modes_left_open: list[torch.inference_mode] = []
"""An inference mode ends with its context, which so must live as long as the mode is to last."""


def _from_to(before: Any, after: Any) -> str:
    return f" from {before} to {after}"


def _nothing(before: Any, after: Any) -> str:  # noqa: ARG001
    return ""


@dataclass(frozen=True)
class Item:
    """A thing that everybody in a process or thread shares.

    Attributes:
        name: As a message says it.
        read: Returns its value, something that later changes do not reach.
        restore: Puts a value back.
        same: Whether two values are one.
        told: What a message says of a change besides the name.
        draws: Whether drawing random numbers changes it.
    """

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]
    same: Callable[[Any, Any], bool] = lambda before, after: bool(before == after)
    told: Callable[[Any, Any], str] = _from_to
    draws: bool = False


class Change(NamedTuple):
    """An item that was left changed.

    Attributes:
        name: Of the item.
        told: What became of it, such as `` from torch.float32 to torch.float64``; may be empty.
    """

    name: str
    told: str

    def __str__(self) -> str:
        """Return both."""
        return self.name + self.told


def _set_inference_mode(mode: bool) -> None:
    context = torch.inference_mode(mode)
    context.__enter__()
    _modes_left_open.append(context)


def _set_default_device(device: torch.device) -> None:
    # Without a device of its own torch makes tensors on the CPU, and does so faster than when told to.
    torch.set_default_device(None if device.type == "cpu" else device)


def _set_interop_threads(count: int) -> None:
    # Torch takes the number once in a process: a change is told, and may have to stay.
    with contextlib.suppress(RuntimeError):
        torch.set_num_interop_threads(count)


def _autocast() -> tuple[Any, ...]:
    devices = [(torch.is_autocast_enabled(d), torch.get_autocast_dtype(d)) for d in AUTOCAST_DEVICES]
    return (*devices, torch.is_autocast_cache_enabled())


def _set_autocast(value: tuple[Any, ...]) -> None:
    for device, (enabled, dtype) in zip(AUTOCAST_DEVICES, value[:-1], strict=True):
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, dtype)
    torch.set_autocast_cache_enabled(value[-1])


def _flushes_denormals() -> bool:
    # Torch can set the processor's flag and not read it; arithmetic shows it. No constants: those are folded.
    smallest = sys.float_info.min
    return smallest / 2 == 0


def _cudnn() -> tuple[bool, bool, bool]:
    flags = torch.backends.cudnn
    return flags.enabled, flags.benchmark, flags.deterministic


def _set_cudnn(value: tuple[bool, bool, bool]) -> None:
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = value


def _torch_generators() -> list[torch.Tensor]:
    on_devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *on_devices]


def _set_torch_generators(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])


def _same_tensors(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    # A device that was not in use before has a state only after.
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=False))


def _numpy_generator() -> dict[str, Any]:
    return dict(np.random.get_state(legacy=False))  # noqa: NPY002  the state that third parties draw from


def _same_arrays(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same_arrays(before[key], after[key]) for key in before)
    return bool(np.array_equal(before, after))


def _set_filters(value: list[Any]) -> None:
    warnings.filters[:] = value  # pyright: ignore[reportIndexIssue]
    with warnings.catch_warnings():
        pass  # what Python remembers of the filters goes by entering and leaving


def _environment() -> dict[str, str]:
    return dict(os.environ)


def _set_environment(value: dict[str, str]) -> None:
    for name in os.environ.keys() - value.keys():
        del os.environ[name]
    os.environ.update({name: held for name, held in value.items() if os.environ.get(name) != held})


def _names_changed(before: dict[str, str], after: dict[str, str]) -> str:
    # Names alone: what an environment holds may be secret.
    return " " + ", ".join(sorted({name for name, _ in before.items() ^ after.items()}))


def _folder() -> str | None:
    try:
        return str(os.getcwd())
    except FileNotFoundError:
        return None


def _set_folder(value: str | None) -> None:
    if value is not None:
        os.chdir(value)


OF_RESULTS = (
    Item("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Item("the default device", torch.get_default_device, _set_default_device),
    Item("inference mode", torch.is_inference_mode_enabled, _set_inference_mode),
    # After inference mode, which sets it too.
    Item("grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Item("the number of threads", torch.get_num_threads, torch.set_num_threads),
    Item("the number of inter-op threads", torch.get_num_interop_threads, _set_interop_threads),
    Item(
        "deterministic algorithms (0 off, 1 warns, 2 raises)",
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
    ),
    Item(
        "the precision of float32 products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    Item("cuDNN's flags", _cudnn, _set_cudnn),
    Item("autocast", _autocast, _set_autocast),
    Item("flushing of denormal numbers", _flushes_denormals, torch.set_flush_denormal),
    Item(
        "torch's global generator",
        _torch_generators,
        _set_torch_generators,
        same=_same_tensors,
        told=_nothing,
        draws=True,
    ),
    Item(
        "numpy's global generator",
        _numpy_generator,
        np.random.set_state,
        same=_same_arrays,
        told=_nothing,
        draws=True,
    ),
    Item("Python's global generator", random.getstate, random.setstate, told=_nothing, draws=True),
    Item("numpy's error state", np.geterr, lambda value: np.seterr(**value)),
)
"""What results may depend on."""

ITEMS = (
    *OF_RESULTS,
    Item("warnings filters", lambda: list(warnings.filters), _set_filters, told=_nothing),
    Item("environment variables", _environment, _set_environment, told=_names_changed),
    Item("the current directory", _folder, _set_folder, told=_nothing),
)
"""All that is watched, in the order in which it is put back."""


def read_state(items: tuple[Item, ...] = ITEMS) -> list[Any]:
    """Return the values of items, in their order."""
    return [item.read() for item in items]


@contextlib.contextmanager
def kept(items: tuple[Item, ...] = ITEMS) -> Generator[list[Change]]:
    """Leave items after a block as they were before it, however it ends.

    Args:
        items: Which. After an import the environment is better left as it is: the module may read it later.

    Yields:
        A list that holds, after the block, what the block left changed.
    """
    before = read_state(items)
    changes: list[Change] = []
    try:
        yield changes
    finally:
        # All are read before the first is put back: some change others.
        for item, old, new in [*zip(items, before, read_state(items), strict=True)]:
            if not item.same(old, new):
                changes.append(Change(item.name, item.told(old, new)))
                item.restore(old)
