"""Who is zero-only-if-weakly-stationary: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "zero-only-if-weakly-stationary"


def test_zero_only_if_weakly_stationary(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
