"""Who is scale-invariant: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "scale-invariant"


def test_scale_invariant(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
