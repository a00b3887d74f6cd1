"""[JD] Table 7 today: seconds for an epoch of SGD, and of SSJD with every aggregator, ours and TorchJD's.

An epoch is 1024 images in batches of 32 ([JD] D.2, E.3): 32 times the median step. Images are Gaussian and
labels random, which changes no shape.
"""

from collections.abc import Iterator
from statistics import quantiles
from typing import NamedTuple

from benchmarks.alternating import alternate
from benchmarks.methods import Step, possible, step
from jdbench.problems.networks import NETWORKS

IMAGES, BATCH = 1024, 32

PAPER = {
    "SGD": (0.79, 0.50, 0.81, 0.47),
    "Mean": (1.41, 1.76, 2.93, 1.64),
    "MGDA": (5.50, 5.22, 6.91, 5.22),
    "DualProj": (1.51, 1.88, 3.02, 1.76),
    "PCGrad": (2.78, 3.13, 4.18, 3.01),
    "GradDrop": (1.57, 1.90, 3.06, 1.78),
    "IMTLG": (1.48, 1.79, 2.94, 1.69),
    "CAGrad": (1.93, 2.26, 3.42, 2.17),
    "RGW": (1.42, 1.76, 2.89, 1.73),
    "NashMTL": (7.88, 8.12, 9.33, 7.91),
    "AlignedMTL": (1.53, 1.98, 2.97, 1.71),
    "UPGrad": (1.80, 2.01, 3.21, 1.90),
}
"""[JD] Table 7: seconds an epoch on an NVIDIA L4, for SVHN, CIFAR-10, EuroSAT and MNIST as in `NETWORKS`."""

LIBRARIES = {"ours": ("engine", "explicit"), "TorchJD": ("autogram", "autojac")}
"""The method of each library from the Gramian, and the one for what needs all of J."""


class EpochTime(NamedTuple):
    """One number of the table.

    Attributes:
        network: By its data set.
        aggregator: Name, or SGD.
        library: ``ours``, ``TorchJD``, or ``torch`` for SGD.
        method: Out of `benchmarks.methods.METHODS`.
        seconds: An epoch's, 32 times the median step.
        low: The same of the lower quartile.
        high: The same of the upper quartile.
        steps: How many were timed.
        ratio: To SGD on the same network.
        paper_seconds: Of [JD] Table 7.
        paper_ratio: Of [JD] Table 7.
    """

    network: str
    aggregator: str
    library: str
    method: str
    seconds: float
    low: float
    high: float
    steps: int
    ratio: float
    paper_seconds: float
    paper_ratio: float


def measure(turns: int = 30, seconds: float = 1.0) -> Iterator[EpochTime]:
    """Yield the table, network by network.

    Args:
        turns: Steps of each, at most.
        seconds: What the steps of each may take, beyond the first three.

    Yields:
        One entry for SGD, and one for each aggregator and library.
    """
    for column, network in enumerate(NETWORKS):
        calls: dict[tuple[str, str, str], Step] = {("SGD", "torch", "SGD"): step("SGD", network, BATCH)}
        for aggregator in PAPER:
            for library, methods in LIBRARIES.items() if aggregator != "SGD" else ():
                method = next(method for method in methods if possible(method, aggregator))
                calls[aggregator, library, method] = step(method, network, BATCH, aggregator)
        names = {str(key): key for key in calls}
        taken = alternate({name: calls[key] for name, key in names.items()}, turns, seconds)
        paper_sgd = PAPER["SGD"][column]
        sgd = 0.0
        for name, (aggregator, library, method) in names.items():
            times = [IMAGES / BATCH * t for t in taken[name]]
            low, middle, high = quantiles(times, n=4, method="inclusive")
            sgd = sgd or middle  # it comes first
            paper = PAPER[aggregator][column]
            yield EpochTime(
                network, aggregator, library, method, middle, low, high, len(times), middle / sgd,
                paper, paper / paper_sgd,
            )  # fmt: skip
