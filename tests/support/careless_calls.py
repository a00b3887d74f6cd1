"""Aggregators whose directions are right, and whose calls do one thing that calls should not."""

import os
import random
import warnings

import numpy as np
import torch

from jdbench.aggregators import Mean, UPGrad

F64 = torch.float64


def after(effect):
    """Return the mean of the rows of a matrix or of each of a batch, made after an effect."""

    def call(J):
        effect()
        return J.mean(-2)

    return call


LEFT_CHANGED = {
    "the default dtype": lambda: torch.set_default_dtype(F64),
    "the default device": lambda: torch.set_default_device("meta"),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "the number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "the precision of float32 products": lambda: torch.set_float32_matmul_precision("medium"),
    "cuDNN's flags": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "flushing of denormal numbers": lambda: torch.set_flush_denormal(True),
    "numpy's error state": lambda: np.seterr(under="raise"),
    "warnings filters": lambda: warnings.simplefilter("error"),
    "environment variables": lambda: os.environ.update({"JDBENCH_LEFT_BEHIND": "1"}),
    "the current directory": lambda: os.chdir("/"),
}
"""What each leaves changed, by the name that a message has for it."""

SEEDED = {
    "torch's global generator": lambda: torch.manual_seed(0),
    "numpy's global generator": lambda: np.random.seed(0),  # noqa: NPY002  what is planted
    "Python's global generator": lambda: random.seed(0),
}

DRAWN = {
    "torch's global generator": lambda: torch.rand(()),
    "numpy's global generator": lambda: np.random.rand(),  # noqa: NPY002  what is planted
    "Python's global generator": lambda: random.random(),
}


class InInferenceMode:
    """Enters the mode and never leaves it."""

    modes: list = []  # noqa: RUF012

    def __call__(self, J):
        a = J.mean(0)
        mode = torch.inference_mode()
        mode.__enter__()
        self.modes.append(mode)
        return a


def first_row_of_one(J):
    return J[0] if len(J) == 1 else J.mean(0)


class OwnBuffer:
    """Returns the same memory at every call of the same size."""

    def __init__(self):
        self.buffers = {}

    def __call__(self, J):
        buffer = self.buffers.setdefault((J.shape[1], J.dtype), torch.empty(J.shape[1], dtype=J.dtype))
        return buffer.copy_(J.mean(0))


def zeros_in_one_place(J):
    return J.new_zeros(1).expand(J.shape[1])


def requires_grad(J):
    return J.mean(0).requires_grad_()


def written_and_put_back(J):
    J.neg_()
    a = -J.mean(0)
    J.neg_()
    return a


def viewed_flat(J):
    return J.view(-1).reshape(J.shape).mean(0)


def read_as_contiguous(J):
    return torch.as_strided(J, J.shape, (J.shape[1], 1), J.storage_offset()).mean(0)


def accumulates_gradients(J):
    if J.requires_grad:
        J.sum().backward()
    return J.detach().mean(0)


def doubled_with_grad(J):
    return J.mean(0) * (1 + J.requires_grad)


def on_meta(J):
    return J.mean(0).to("meta")


def sparse(J):
    return J.mean(0).to_sparse()


class Unreadable(torch.Tensor):
    """A tensor that nothing may be done with."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("not to be read")


def unreadable(J):
    return J.mean(0).as_subclass(Unreadable)


class RunningMean:
    """The mean of all directions so far."""

    def __init__(self):
        self.sums = {}

    def __call__(self, J):
        total, calls = self.sums.get(J.shape[1], (0.0, 0))
        self.sums[J.shape[1]] = total + J.mean(0), calls + 1
        return (total + J.mean(0)) / (calls + 1)


class FirstShapeOnly:
    """Raises for another shape than that of its first call."""

    def __init__(self):
        self.shape = None

    def __call__(self, J):
        self.shape = self.shape or J.shape
        if self.shape != J.shape:
            raise ValueError(f"made for {tuple(self.shape)}")
        return J.mean(0)


class Tired:
    """Raises from its third call on."""

    def __init__(self):
        self.calls = 0

    def __call__(self, J):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("no more")
        return J.mean(0)


class OwnGenerator:
    """Random weights from a generator of its own, which goes on from call to call."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, J):
        return torch.from_numpy(self.generator.random(len(J))).to(J) @ J


def counts_outside(right, wrong, every):
    """Return a function that is wrong every so many calls, which no copy makes forget."""
    calls = [0]

    def call(J):
        calls[0] += 1
        return (wrong if calls[0] % every == 0 else right)(J)

    return call


def mean_every_fiftieth_call():
    return counts_outside(UPGrad(), Mean(), 50)
