"""Violation curves and their page: where the exact aggregators stay within rounding, and who does not."""

import html.parser
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from jdbench.aggregator import resolve
from jdbench.aggregators import UPGrad
from jdbench.report.verdicts.page import write_verdict_page
from jdbench.rounding import gamma, row_norms
from jdbench.verification.axes import AXES, M, conditioned, of_rank, over_decades
from jdbench.verification.captured import training
from jdbench.verification.curves import as_table, curve, read_points
from jdbench.verification.folder import read_folder
from jdbench.verification.properties import TABLE_1
from jdbench.verification.standings import Standing, standing

NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1
FEW = 6
THIRTEEN = 13.0


class Conflicting:
    """Not ours, and broken for float32."""

    def __call__(self, J: Tensor) -> Tensor:
        return -J.sum(0) if J.dtype == torch.float64 else J[0] / 0


def unit(J: Tensor) -> Tensor:
    return J / row_norms(J).unsqueeze(-1)


@pytest.mark.parametrize("decades", [0.0, 5.0, THIRTEEN])
def test_row_norms_span_the_decades_that_they_are_said_to(decades: float) -> None:
    for index in range(FEW):
        norms = row_norms(over_decades(decades, index, torch.float64))
        assert float((norms.max() / norms.min()).log10()) == pytest.approx(decades, abs=1e3 * gamma(1))


@pytest.mark.parametrize("exponent", [0.0, 4.0, 8.0, 14.0])
def test_the_unit_row_gramian_has_the_condition_that_it_is_said_to(exponent: float) -> None:
    for index in range(FEW):
        units = unit(conditioned(exponent, index, torch.float64))
        sigma = torch.linalg.svdvals(units)
        # The smallest singular value is off by the rounding of the entries.
        rounding = M * gamma(2) / float(sigma[-1])
        assert float((sigma[0] / sigma[-1]).log10()) * 2 == pytest.approx(exponent, abs=2 * rounding)


def test_ranks_are_what_they_are_said_to_be() -> None:
    for rank in range(1, M + 1):
        assert all(
            int(torch.linalg.matrix_rank(of_rank(float(rank), index, torch.float64))) == rank
            for index in range(FEW)
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("axis", AXES)
def test_matrices_are_exact_in_their_dtype_and_so_is_three_times_them(axis: str, dtype: torch.dtype) -> None:
    points = AXES[axis].points.get(dtype, AXES[axis].points[torch.float64])
    for x in (points[0], points[-1]):
        J = AXES[axis].matrix(x, 1, dtype)
        assert torch.equal(J.to(dtype).to(torch.float64), J)
        assert torch.equal((3 * J).to(dtype).to(torch.float64), 3 * J)
        assert torch.equal(J, AXES[axis].matrix(x, 1, dtype))


@pytest.mark.parametrize("axis", ["decades", "condition", "rank", "batch", "subset"])
def test_exact_upgrad_stays_within_the_derived_tolerance(axis: str) -> None:
    """Thirteen decades and rank deficiency among them."""
    points = curve(UPGrad(), "UPGrad", axis, torch.float64, count=FEW)
    assert {p.prop for p in points} == set(TABLE_1)
    assert not [p for p in points if p.violated]
    if axis == "decades":
        assert max(p.x for p in points) == THIRTEEN
    if axis == "rank":
        assert min(p.x for p in points) == 1


def test_exact_upgrad_stays_within_it_in_float32() -> None:
    assert not [p for p in curve(UPGrad(), "UPGrad", "decades", torch.float32, count=FEW) if p.violated]


@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
def test_trace_regularisation_is_refuted_as_decades_grow(name: str) -> None:
    aggregator = resolve(f"{name}(trace_regularization=0.0001)").aggregator
    points = curve(aggregator, name, "decades", torch.float64, properties=[NON_CONFLICTING], count=FEW)
    by_decades = {p.x: p for p in points}
    assert by_decades[0.0].margin > 10 * by_decades[3.0].margin
    assert all(p.margin < -p.tolerance and p.violated for x, p in by_decades.items() if x >= 3)
    assert by_decades[THIRTEEN].violations == FEW
    assert by_decades[THIRTEEN].cosine < -0.1


def test_trace_regularisation_conflicts_with_gradients_of_a_real_training() -> None:
    variant = resolve("UPGrad(trace_regularization=0.0001)").aggregator
    late = {one.step for one in training("MNIST") if one.decades > 2}
    for aggregator, conflicts in ((variant, True), (UPGrad(), False)):
        points = curve(aggregator, "", "batch", torch.float64, properties=[NON_CONFLICTING])
        assert {p.x for p in points if p.cosine < -0.2} == (late if conflicts else set())


def test_tables_are_the_same_in_every_run_and_are_read_back(tmp_path: Path) -> None:
    first, second = (curve(resolve("RGW").aggregator, "RGW", "rank", torch.float64, count=2) for _ in range(2))
    assert as_table(first).equals(as_table(second))
    as_table(first).to_csv(tmp_path / "curves.csv", index=False)
    pd.testing.assert_frame_equal(as_table(read_points(tmp_path / "curves.csv")), as_table(first))


def test_what_is_no_direction_is_a_violation_with_a_message() -> None:
    points = curve(Conflicting(), "", "batch", torch.float32, properties=[WEIGHTED], count=1)
    assert all(p.violated and p.margin != p.margin and p.message.startswith("finite") for p in points)


CLAIMED = "non-conflicting,linear-under-scaling,weighted,scale-invariant"

ODD = """
class UPGrad:
    def __call__(self, J):
        return -J.sum(0)

class Odd(UPGrad):
    def __init__(self, text):
        pass
"""


class Links(html.parser.HTMLParser):
    """What a page points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := found.get(name))]
        self.ids.add(found.get("id") or "")
        self.scripts += tag == "script"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    (place / "odd.py").write_text(ODD)
    specs = ["UPGrad", "odd:UPGrad", "odd:Odd(text='<script>')"]
    options = ["--claims", CLAIMED, "--examples", "3", "--report", "page", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "jdbench", "verify", *specs, *options],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return place / "page"


def test_the_page_is_whole_and_needs_no_network(folder: Path) -> None:
    page = Links((folder / "index.html").read_text())
    assert page.scripts == 1
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert "//" not in link
            assert (folder / link).is_file(), link


def test_verdicts_stand_to_the_claims_as_they_should(folder: Path) -> None:
    verification = read_folder(folder)
    found = {(one.aggregator, one.prop): standing(one) for one in verification.verdicts}
    assert found["UPGrad", NON_CONFLICTING] is Standing.KEPT
    assert found["UPGrad", "scale-invariant"] is Standing.LACKED
    assert found["odd:UPGrad", NON_CONFLICTING] is Standing.BROKEN_CLAIM
    assert found["odd:Odd(text='<script>')", NON_CONFLICTING] is Standing.UNCLAIMED
    assert {p.dtype for p in verification.curves} == {"float64", "float32"}
    assert {p.axis for p in verification.curves} == set(AXES)


def test_the_page_is_written_again_from_the_files_alone(folder: Path) -> None:
    before = (folder / "index.html").read_bytes()
    (folder / "index.html").unlink()
    assert write_verdict_page(folder).read_bytes() == before


def test_each_refutation_is_listed_with_the_name_that_replays_it(folder: Path) -> None:
    page = html.unescape((folder / "index.html").read_text())
    failed = [one.name for one in read_folder(folder).verdicts if one.failed]
    assert failed
    for name in failed:
        assert f"<code>{name}</code>" in page
    assert not (folder / "replays").exists()


def test_a_folder_that_is_none_is_bad_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jdbench", "report", "--verification", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("jdbench: verification=")
    assert done.stderr.count("\n") == 1
