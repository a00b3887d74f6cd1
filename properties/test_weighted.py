"""Who is weighted: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "weighted"


def test_weighted(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
