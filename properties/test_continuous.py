"""Who is continuous: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "continuous"


def test_continuous(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
