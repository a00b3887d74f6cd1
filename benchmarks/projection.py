"""UPGrad's weights and one projection by m, rank, batch, solver and device; their residuals ([JD] eq. 5)."""

from benchmarks.conditions import DEVICES, REPEAT, ROUNDS, TIMEOUT, WARMUP_TIME, finish, set_threads
from benchmarks.gramians import CAPTURED, CAPTURED_ROWS, RANKS, gramian
from benchmarks.solvers import SOLVERS, projection, residual, sensible, upgrad_weights

SIZES = [8, 32, 64, 128, 256]

SLOW = {"proxqp": 64, "torchjd": 128}
"""Largest m at which m programs take about a second or less on two cores: at m = 256 TorchJD takes several.

Elsewhere the largest m is tried.
"""

ONE_BY_ONE = {"proxqp", "daqp", "quadprog", "torchjd"}
"""Solvers that take a batch one Gramian after the other, on the CPU."""


class _Projections:
    """What the classes below share: parameters, combinations left out, and one call before the clock runs."""

    params = ([1], SIZES, RANKS, SOLVERS, DEVICES)
    param_names = ("batch", "m", "rank", "solver", "device")
    rounds, repeat, warmup_time, timeout = ROUNDS, REPEAT, WARMUP_TIME, TIMEOUT

    def setup(self, batch: int, m: int, rank: str, solver: str, device: str) -> None:
        """Leave out what makes no sense; compile by a first call on a small Gramian."""
        _skip(m, rank, solver, device)
        set_threads()
        self.G = gramian(rank, m, batch, device)
        self.weights, self.project = upgrad_weights(solver), projection(solver)
        if solver == "ours":
            small = gramian("full", 2, batch, device)
            self.weights(small)
            self.project(small)


class Weights(_Projections):
    """UPGrad's weights: m programs a Gramian."""

    unit = "largest KKT residual in unit rows"  # of what is tracked: times have their own

    def setup(self, batch: int, m: int, rank: str, solver: str, device: str) -> None:
        """Leave out what takes many seconds a call."""
        if m > SLOW.get(solver, m):
            raise NotImplementedError
        super().setup(batch, m, rank, solver, device)

    def time_weights(self, batch: int, m: int, rank: str, solver: str, device: str) -> None:
        """Time them."""
        self.weights(self.G)
        finish(device)

    def track_residual(self, batch: int, m: int, rank: str, solver: str, device: str) -> float:
        """Return the largest KKT residual: beside every time, so that no speed is bought with accuracy."""
        return residual(solver, self.G)


class WeightsOfBatch(Weights):
    """The same for 256 Gramians of size 8."""

    params = ([256], [8], RANKS, SOLVERS, DEVICES)


class Projection(_Projections):
    """One program a Gramian: the projection of the mean gradient."""

    def time_projection(self, batch: int, m: int, rank: str, solver: str, device: str) -> None:
        """Time it."""
        self.project(self.G)
        finish(device)


class ProjectionOfBatch(Projection):
    """The same for 256 Gramians of size 8."""

    params = ([256], [8], RANKS, SOLVERS, DEVICES)


def _skip(m: int, rank: str, solver: str, device: str) -> None:
    """Raise NotImplementedError, which asv shows as n/a, for combinations that make no sense."""
    if rank in CAPTURED and m > CAPTURED_ROWS:
        raise NotImplementedError
    if not sensible(solver, rank, m):
        raise NotImplementedError  # it finds no solution, or not within minutes
    if device != "cpu" and solver in ONE_BY_ONE:
        raise NotImplementedError  # they copy to the CPU: the same time again
