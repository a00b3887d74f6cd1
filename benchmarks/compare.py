"""Two commits by asv's result files: what regressed, what was not measured, what has too few samples to tell.

    make bench-compare BASE=main
    python -m benchmarks.compare main HEAD --factor 1.1

asv's own ``compare`` shows every number and always exits 0, whatever was found or missing. This exits 1 if and
only if something regressed, and 2 if there is nothing to compare.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from benchmarks.asv_results import Measurement, ResultsError, measurements

FACTOR = 1.1
"""Ratio from which a difference counts, as in asv."""

FLOORS = {"largest KKT residual in unit rows": 1e-10}
"""Values, by unit, that count as zero: residuals below count as solved, and any two of them as equal."""


class Trend(StrEnum):
    """What two measurements say of each other."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    TOO_FEW = "too few samples"
    NOT_MEASURED = "not measured"
    SAME = "same"


class Comparison(NamedTuple):
    """A benchmark with one combination of parameters, judged.

    Attributes:
        name: Such as ``projection.Weights.time_weights(1, 8, 'full', 'ours', 'cpu')``.
        verdict: What was found.
        reason: The ratio with its interval, or what is missing.
    """

    name: str
    verdict: Trend
    reason: str


def judge(base: Measurement | None, new: Measurement | None, factor: float = FACTOR) -> tuple[Trend, str]:
    """Return what a pair of measurements says.

    The interval of the ratio comes from both 99 % intervals: regressed is a ratio above the factor whose
    interval lies above 1, improved the reverse; the same, an interval within the factor. Anything else is too
    few samples: the interval is wider than what is to be seen. What has no interval (``track_``,
    ``peakmem_``) is judged by the ratio alone. Smaller is better.

    Args:
        base: Of the older commit; None if there is none.
        new: Of the newer commit.
        factor: At least 1.

    Returns:
        Verdict and reason.
    """
    if base is None or new is None:
        return Trend.NOT_MEASURED, f"no result of the {'base' if base is None else 'new'} commit"
    if base.value is None or new.value is None:
        return Trend.NOT_MEASURED, f"failed on the {'base' if base.value is None else 'new'} commit"
    if base.version != new.version:
        return Trend.NOT_MEASURED, "the benchmark itself differs, run both commits again"
    floor = FLOORS.get(base.unit, 0.0)
    ratio = _ratio(max(new.value, floor), max(base.value, floor))
    low = _ratio(max(new.low, floor), max(base.high, floor))
    high = _ratio(max(new.high, floor), max(base.low, floor))
    reason = f"{ratio:.3g} times" + ("" if low == high else f" ({low:.3g} to {high:.3g})")
    if ratio > factor and low > 1:
        return Trend.REGRESSED, reason
    if ratio < 1 / factor and high < 1:
        return Trend.IMPROVED, reason
    if low >= 1 / factor and high <= factor:
        return Trend.SAME, reason
    return Trend.TOO_FEW, reason


def compare(
    base: dict[str, Measurement], new: dict[str, Measurement], factor: float = FACTOR
) -> list[Comparison]:
    """Return the judgement of each benchmark that either commit has.

    Args:
        base: Measurements of the older commit by name.
        new: Of the newer one.
        factor: At least 1.

    Returns:
        Judgements, by verdict in the order of `Trend` and by name.
    """
    judged = [
        Comparison(name, *judge(base.get(name), new.get(name), factor)) for name in base.keys() | new.keys()
    ]
    order = list(Trend)
    return sorted(judged, key=lambda one: (order.index(one.verdict), one.name))


def full_hash(commit: str) -> str:
    """Return the hash of a commit, given any name that git knows for it.

    Raises:
        ResultsError: Git knows no such commit.
    """
    command = ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise ResultsError(
            f"commit={commit!r}, required a commit of this repository, got none, look at git log"
        )
    return run.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the judgements; return 1 if and only if something regressed, 2 if there is nothing to compare."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("base", help="older commit")
    parser.add_argument("new", nargs="?", default="HEAD", help="newer commit, HEAD by default")
    parser.add_argument(
        "--factor", type=float, default=FACTOR, help="ratio that counts, %(default)s by default"
    )
    parser.add_argument("--results", type=Path, default=Path(".asv/results"), help="folder of asv's results")
    parser.add_argument("--all", action="store_true", help="list what is the same as well")
    given = parser.parse_args(arguments)
    if not given.factor >= 1:
        print(f"factor={given.factor}, required at least 1, got less, pass for example 1.1", file=sys.stderr)
        return 2
    try:
        base, new = (measurements(given.results, full_hash(commit)) for commit in (given.base, given.new))
    except ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    judged = compare(base, new, given.factor)
    for verdict in Trend:
        found = [one for one in judged if one.verdict is verdict]
        print(f"{verdict}: {len(found)}")
        for one in found if given.all or verdict is not Trend.SAME else ():
            print(f"  {one.name}  {one.reason}")
    return int(any(one.verdict is Trend.REGRESSED for one in judged))


def _ratio(a: float, b: float) -> float:
    return 1.0 if a == b else a / b if b > 0 else float("inf")


if __name__ == "__main__":
    raise SystemExit(main())
