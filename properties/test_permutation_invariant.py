"""Who is permutation-invariant: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "permutation-invariant"


def test_permutation_invariant(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
