"""The public address of `jdbench.descent.momentum`, short because users type it."""

from jdbench.descent.momentum import (
    METHODS,
    Adam,
    AdamW,
    CombinedOptimizer,
    HeavyBall,
    Momentum,
    NAdam,
    Nesterov,
)

__all__ = ["METHODS", "Adam", "AdamW", "CombinedOptimizer", "HeavyBall", "Momentum", "NAdam", "Nesterov"]
