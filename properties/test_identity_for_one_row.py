"""Who gives one row back: identity-for-one-row: see `jdbench.verification.properties`."""

from jdbench.pytest_plugin import Subject

PROPERTY = "identity-for-one-row"


def test_identity_for_one_row(subject: Subject) -> None:
    """The claim of the subject stands."""
    subject.check()
