"""The randomness of a run: seeded by all that defines it, so that a run draws the same in any batch."""

from collections.abc import Sequence

import torch

from jdbench.problem import seeded
from jdbench.runs.protocol import RunSpec


def generators(specs: Sequence[RunSpec]) -> list[torch.Generator]:
    """Return a generator for each run.

    Args:
        specs: The runs.

    Returns:
        Generators, in order.
    """
    return [seeded(int(spec.key[:14], 16)) for spec in specs]
