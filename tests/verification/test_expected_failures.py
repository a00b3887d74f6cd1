"""Files of expected failures: what is read from TOML, what is refused, and which entry covers what."""

from pathlib import Path

import pytest

from jdbench.errors import InputError
from jdbench.verification.expected_failures import ExpectedFailure, find_expected, read_expected_failures
from support.property_suite import BAD, ENTRY


def read(tmp_path: Path, text: str) -> tuple[ExpectedFailure, ...]:
    (tmp_path / "f.toml").write_text(text)
    return read_expected_failures(tmp_path / "f.toml")


def test_entries_are_read(tmp_path: Path) -> None:
    text = ENTRY + '[[failure]]\naggregator="UPGrad"\nproperty="weighted"\ndtype="float32"\nreason="r"'
    assert read(tmp_path, text) == (
        ExpectedFailure("non-conflicting", "a mean conflicts", "stranger:agg"),
        ExpectedFailure("weighted", "r", "UPGrad", "float32"),
    )
    assert read(tmp_path, "# nothing yet") == ()


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "f.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name, message in (
        ("none.toml", "No such file"),
        (".", "Is a directory"),
        ("bytes.toml", "required TOML"),
    ):
        with pytest.raises(InputError, match=message):
            read_expected_failures(tmp_path / name)


@pytest.mark.parametrize(
    ("written", "names", "covered"),
    [
        ("UPGrad( trace_regularization = 1e-4 )", ["UPGrad(trace_regularization=0.0001)"], True),
        ("UPGrad()", ["UPGrad"], True),
        ("UPGrad", ["UPGrad(trace_regularization=0.0001)"], False),
        ("m.k:A(c=1)", ["m.k:A( c=1 )"], True),
        ("m.k:A", ["m.k:A(c=1)"], False),
        ("MyAggregator", ["MyAggregator()"], True),
        ("m:MyAggregator", ["MyAggregator()", "m:MyAggregator"], True),
        ("A(x=B(y=1))", ["A(x=B(y=1))"], True),
        (None, ["anything"], True),
    ],
)
def test_an_aggregator_is_found_under_any_of_its_names(written, names: list[str], covered: bool) -> None:
    failure = ExpectedFailure("weighted", "r", written)
    assert (find_expected([failure], names, "weighted", "float32") is failure) == covered
    assert find_expected([failure], names, "non-conflicting", "float32") is None


def test_a_dtype_narrows() -> None:
    failure = ExpectedFailure("weighted", "r", None, "float32")
    assert failure.covers(["A"], "weighted", "float32")
    assert not failure.covers(["A"], "weighted", "float64")
