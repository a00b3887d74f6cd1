"""Measures `reports/kernels/` and writes its page: [JD] Table 7 today, and how the kernels scale.

OMP_NUM_THREADS=2 python -m benchmarks.kernels             # or make kernels
OMP_NUM_THREADS=2 python -m benchmarks.kernels --draft     # few repetitions, to see that it works
python -m benchmarks.kernels --page                        # the page again, from the tables that are there
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import pandas as pd

from benchmarks import scaling, table7
from benchmarks.conditions import THREADS, set_threads
from benchmarks.kernels_page import TABLES, write_page
from jdbench.environment import environment

OUT = Path("reports/kernels")


class Effort(TypedDict, total=False):
    """How often each is called: at most so many times, and within so many seconds beyond the first three."""

    turns: int
    seconds: float


DRAFT: Effort = {"turns": 3, "seconds": 0.0}
"""Three calls of each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for and write the page; return 0, or 2 if there are no tables to write it from."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kernels", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder, %(default)s by default")
    parser.add_argument("--draft", action="store_true", help="three calls of each")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page again")
    given = parser.parse_args(arguments)
    if not given.page:
        _measure(given.out, draft=given.draft)
    lacking = [name for name in (*TABLES, "environment.json") if not (given.out / name).exists()]
    if lacking:
        print(
            f"out={given.out}, required {', '.join(lacking)}, got no such file, run without --page",
            file=sys.stderr,
        )
        return 2
    print(write_page(given.out))
    return 0


def _measure(out: Path, *, draft: bool) -> None:
    started = time.perf_counter()
    set_threads()
    out.mkdir(parents=True, exist_ok=True)
    few: Effort = DRAFT if draft else {}
    _write(out / "table7.csv", table7.measure(**few))
    _write(out / "projection.csv", scaling.solved(**few))
    _write(out / "training.csv", scaling.trained(**few))
    facts = environment(1) | {
        "processes": f"one, {THREADS} threads of torch",
        "repetitions": "three (draft)" if draft else "as many as the tables say",
        "duration": f"{time.perf_counter() - started:.0f} s",
    }
    (out / "environment.json").write_text(
        json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _write(file: Path, rows: Iterable[NamedTuple]) -> None:
    """Write a table, and say line by line what was found: it takes minutes."""
    found: list[NamedTuple] = []
    for row in rows:
        found.append(row)
        print(*(f"{value:.4g}" if isinstance(value, float) else value for value in row), flush=True)
    pd.DataFrame(found).to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    raise SystemExit(main())
