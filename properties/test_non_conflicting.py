"""Who is non-conflicting: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "non-conflicting"


def test_non_conflicting(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
