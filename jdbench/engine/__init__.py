"""The Gramian and Jᵀw of any torch model in one pass: how one trains with Jacobian descent ([JD] Section 6)."""

from jdbench.engine.engine import Engine
from jdbench.engine.losses import Losses
from jdbench.engine.separable import Check

__all__ = ["Check", "Engine", "Losses"]
