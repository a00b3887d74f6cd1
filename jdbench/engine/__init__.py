"""The Gramian and Jᵀw of any torch model in one pass: how one trains with Jacobian descent ([JD] Section 6)."""

from jdbench.engine.engine import Check, Engine

__all__ = ["Check", "Engine"]
