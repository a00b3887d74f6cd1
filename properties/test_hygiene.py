"""Who has the hygiene that everyone must have: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "hygiene"


def test_hygiene(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
