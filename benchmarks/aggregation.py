"""Every aggregator of [JD] Table 1 by m, ours and TorchJD's: weights of a Gaussian Gramian, GradDrop's call."""

from collections.abc import Callable

from torch import Tensor

from benchmarks.conditions import DEVICES, REPEAT, ROUNDS, TIMEOUT, WARMUP_TIME, finish, set_threads
from benchmarks.gramians import gramian, jacobian
from benchmarks.peers import MATRIX, peer, peer_weights
from benchmarks.projection import SIZES
from jdbench.aggregator import GramianAggregator, resolve
from jdbench.aggregators import LEADERBOARD

SLOW = {"UPGrad": 128, "MGDA": 128, "NashMTL": 64, "PCGrad": 128, "CAGrad": 128}
"""Largest m of TorchJD's: beyond it one call takes seconds."""


class Aggregator:
    """One aggregation of a full-rank Jacobian, from its Gramian where that is enough."""

    params = (list(LEADERBOARD), SIZES, ["ours", "torchjd"], DEVICES)
    param_names = ("aggregator", "m", "library", "device")
    rounds, repeat, warmup_time, timeout = ROUNDS, REPEAT, WARMUP_TIME, TIMEOUT

    def setup(self, aggregator: str, m: int, library: str, device: str) -> None:
        """Leave out what makes no sense; compile by a first call on a small Jacobian."""
        if library == "torchjd" and "(" in aggregator:
            raise NotImplementedError  # the published variants: TorchJD's stand under the plain name
        if library == "torchjd" and (device != "cpu" or m > SLOW.get(aggregator, m)):
            raise NotImplementedError  # solved on the CPU whatever the device; or seconds a call
        set_threads()
        self.call, self.given = _ours(aggregator, m, device) if library == "ours" else _theirs(aggregator, m)

    def time_weights(self, aggregator: str, m: int, library: str, device: str) -> None:
        """Time the weights; of GradDrop the call, of TorchJD's Nash-MTL the weights from J."""
        self.call(self.given)
        finish(device)


def _ours(name: str, m: int, device: str) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    found = resolve(name).aggregator
    if not isinstance(found, GramianAggregator):  # GradDrop
        return found, jacobian("full", m)[0].to(device)
    found.weights(gramian("full", 2, device=device))
    return found.weights, gramian("full", m, device=device)


def _theirs(name: str, m: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    if name == "GradDrop":
        return peer(name, m), jacobian("full", m)[0]
    given = jacobian("full", m)[0] if name in MATRIX else gramian("full", m)
    return peer_weights(name, m), given
