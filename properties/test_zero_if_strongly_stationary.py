"""Who is zero-if-strongly-stationary: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "zero-if-strongly-stationary"


def test_zero_if_strongly_stationary(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
