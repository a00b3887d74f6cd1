"""Who is zero-if-weakly-stationary: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "zero-if-weakly-stationary"


def test_zero_if_weakly_stationary(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
