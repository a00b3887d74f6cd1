"""Optimisers whose gradient and momentum are combined by an aggregator instead of a sum ([JD] Section 3)."""

from jdbench.descent.momentum.adaptive import Adam, AdamW, HeavyBall, NAdam, Nesterov
from jdbench.descent.momentum.method import Momentum
from jdbench.descent.momentum.torch_optimizer import CombinedOptimizer

METHODS = {"HeavyBall": HeavyBall, "Nesterov": Nesterov, "Adam": Adam, "AdamW": AdamW, "NAdam": NAdam}
"""The methods by the names that specs choose them by."""

__all__ = ["METHODS", "Adam", "AdamW", "CombinedOptimizer", "HeavyBall", "Momentum", "NAdam", "Nesterov"]
