"""Who is rotation-equivariant: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "rotation-equivariant"


def test_rotation_equivariant(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
