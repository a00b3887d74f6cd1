"""What a check finds at one witness."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A margin with the error that rounding explains; violated below minus that, or if NaN.

    Attributes:
        margin: Signed, a pure number.
        tolerance: Derived, at least 0.
        message: What was seen, where the margin alone does not say.
    """

    margin: float
    tolerance: float
    message: str = ""

    @property
    def violated(self) -> bool:
        """Whether the property fails here."""
        return not self.margin >= -self.tolerance
