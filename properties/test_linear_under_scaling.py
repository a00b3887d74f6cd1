"""Who is linear-under-scaling: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "linear-under-scaling"


def test_linear_under_scaling(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
