"""The one bootstrap of a report: mean ranks of resampled problems with resampled seeds, and its intervals.

Each problem counts alike, however many seeds it has. Problems are drawn with replacement, and for each draw its
seeds are (B. Efron & R. J. Tibshirani, An Introduction to the Bootstrap, 1993; on two levels, as in the cluster
bootstrap). It therefore tells of other problems like these too; with one problem it tells of its seeds only.
"""

from collections.abc import Sequence

import numpy as np

from jdbench.runs.record import Array

RESAMPLES = 4000

CONFIDENCE = 0.95
"""Share of the resamples that an interval holds, centrally."""


def resampled_means(ranks: Sequence[Array], *, seed: int = 1) -> Array:
    """Return the mean ranks over problems of all resamples.

    Args:
        ranks: Of each problem, shape ``[seeds, k]`` for k aggregators.
        seed: Seed of the resampling.

    Returns:
        Shape ``[RESAMPLES, k]``; zeros without problems.

    Example:
        >>> import numpy as np
        >>> from jdbench.analysis.bootstrap import resampled_means
        >>> resampled_means([np.array([[1.0, 2.0]]), np.array([[2.0, 1.0]])]).mean(0).round(1)
        array([1.5, 1.5])
    """
    if not ranks:
        return np.zeros((RESAMPLES, 0))
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(ranks), size=(RESAMPLES, len(ranks)))
    slots = np.zeros((*drawn.shape, ranks[0].shape[1]))
    for index, value in enumerate(ranks):
        here = drawn == index
        seeds = generator.integers(len(value), size=(int(here.sum()), len(value)))
        slots[here] = value[seeds].mean(1)
    return slots.mean(1)


def interval(resampled: Array) -> tuple[Array, Array]:
    """Return the ends of the central interval of resamples, along the first axis.

    Example:
        >>> import numpy as np
        >>> from jdbench.analysis.bootstrap import interval
        >>> low, high = interval(np.arange(101.0))
        >>> round(float(low), 9), round(float(high), 9)
        (2.5, 97.5)
    """
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high
