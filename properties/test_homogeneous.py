"""Who is homogeneous: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "homogeneous"


def test_homogeneous(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
