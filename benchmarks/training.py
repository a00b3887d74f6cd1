"""Gramian and step by network of [JD] Tables 2 to 5, batch size, method and device: time and memory."""

from benchmarks.conditions import DEVICES, REPEAT, ROUNDS, TIMEOUT, WARMUP_TIME, finish, set_threads
from benchmarks.memory import peak
from benchmarks.methods import GRAMIAN_METHODS, METHODS, gramian_step, step
from jdbench.problems.networks import NETWORKS

BATCHES = [4, 32, 64, 128, 256]

STEPS_OF_PEAK = 3
"""Steps within which the peak is sought: what a method keeps from step to step is there from the second on."""


class _Trainings:
    """What the classes below share."""

    params = (list(NETWORKS), BATCHES, METHODS, DEVICES)
    param_names = ("network", "batch", "method", "device")
    rounds, repeat, warmup_time, timeout = ROUNDS, REPEAT, WARMUP_TIME, TIMEOUT


class Step(_Trainings):
    """A step with UPGrad, and of SGD on the mean loss: forward, backward, aggregation and update."""

    def setup(self, network: str, batch: int, method: str, device: str) -> None:
        """Build it, and compile by a step on four images."""
        _skip(batch, method)
        set_threads()
        if method in {"engine", "explicit"}:
            step(method, network, 4, device=device)()
        self.take = step(method, network, batch, device=device)

    def time_step(self, network: str, batch: int, method: str, device: str) -> None:
        """Time it."""
        self.take()
        finish(device)


class Gramian(_Trainings):
    """Losses and the Gramian of their Jacobian."""

    params = (list(NETWORKS), BATCHES, GRAMIAN_METHODS, DEVICES)

    def setup(self, network: str, batch: int, method: str, device: str) -> None:
        """Build it."""
        _skip(batch, method)
        set_threads()
        self.compute = gramian_step(method, network, batch, device)

    def time_gramian(self, network: str, batch: int, method: str, device: str) -> None:
        """Time it."""
        self.compute()
        finish(device)


class Memory(_Trainings):
    """Peak memory of a step with UPGrad."""

    unit = "bytes"

    def setup(self, network: str, batch: int, method: str, device: str) -> None:
        """Build it, and load what a first step on four images loads."""
        _skip(batch, method)
        set_threads()
        step(method, network, 4, device=device)()
        self.take = step(method, network, batch, device=device)

    def track_peak(self, network: str, batch: int, method: str, device: str) -> float:
        """Return the bytes above what was resident before the steps; on CUDA what its allocator held."""
        return peak(self._steps, device)

    def peakmem_step(self, network: str, batch: int, method: str, device: str) -> None:
        """Take the steps: asv records the peak of the whole process, torch's own 200 to 300 MB included."""
        self._steps()
        finish(device)

    def _steps(self) -> None:
        for _ in range(STEPS_OF_PEAK):
            self.take()


def worthwhile(batch: int, method: str) -> bool:
    """Return whether a step takes a few seconds or less on two cores.

    It does not with autojac beyond batch 32, where it takes 0.6 to 2.7 s and grows with the square of the
    batch, and with autogram beyond 128: TorchJD's UPGrad takes seconds for 256 rows.
    """
    return batch <= {"autojac": 32, "autogram": 128}.get(method, batch)


def _skip(batch: int, method: str) -> None:
    if not worthwhile(batch, method):
        raise NotImplementedError  # asv shows n/a
