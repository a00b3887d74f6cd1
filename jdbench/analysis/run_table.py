"""Records to indicators: one row a run, and the runs at the selected learning rate ([JD] Appendix D.1)."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from jdbench.errors import JDBenchError
from jdbench.problem import AnalyticProblem, Problem, resolve_problem
from jdbench.runs.record import Record

GROUP = ["problem", "aggregator", "seed"]


def indicator_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row a record: its spec, how it ended, its indicators.

    ``score`` is ``area`` divided by ``start``: the mean of the criterion over the run as a share of its value
    at the start, a pure number, infinite for a run that diverged or failed.

    Args:
        records: Any records; their curves are not read.

    Returns:
        A table with columns ``problem aggregator rate seed steps optimizer trace state steps_taken seconds``,
        ``error score`` and one for each indicator, NaN where a run has none.
    """
    rows = [
        {
            **vars(record.spec),
            "state": str(record.state),
            "steps_taken": record.steps_taken,
            "seconds": record.seconds,
            "error": record.error,
            **record.indicators,
        }
        for record in records
    ]
    table = pd.DataFrame(rows)
    if len(table):
        area, start = (table[name].to_numpy(dtype=np.float64) for name in ("area", "start"))
        # A start on the front itself leaves nothing to gain: 0 for staying there, infinity for leaving it.
        share = np.divide(area, start, out=np.where(area > 0, np.inf, 0.0), where=start > 0)
        table["score"] = np.where(np.isfinite(area), share, np.inf)
    return table


def selected_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the run of the best rate for each problem, aggregator and seed ([JD] D.1).

    The best has the smallest area under the curve; of equal ones the smaller rate wins. Reference runs, at
    a given rate, do not compete.

    Args:
        table: An `indicator_table`.

    Returns:
        Its rows of the best rates, with ``rates_tried``, ``rates_lost`` (diverged or failed) and ``at_edge``:
        whether the best rate is the smallest or largest that was tried, so that a better one may lie beyond.
    """
    competing = table.loc[~table["trace"].astype(bool)].sort_values(by=[*GROUP, "score", "rate"])
    groups = competing.groupby(GROUP, sort=False)
    best = groups.head(1).set_index(GROUP)
    best["rates_tried"] = groups.size()
    best["rates_lost"] = groups["state"].agg(lambda states: int((states != "finished").sum()))
    edges = groups["rate"].agg(["min", "max"])
    best["at_edge"] = (best["rate"] == edges["min"]) | (best["rate"] == edges["max"])
    return best.reset_index()


def reference_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs at Theorem 1's rate 1/(β√m), whose paths were kept.

    Args:
        table: An `indicator_table`.

    Returns:
        Its rows of reference runs.
    """
    return table.loc[table["trace"].astype(bool)].reset_index(drop=True)


def problems_of(table: pd.DataFrame) -> dict[str, Problem]:
    """Return the problems of a table by spec, without those that cannot be had here.

    Args:
        table: Any table with a column ``problem``.

    Returns:
        Problems by spec.
    """
    found: dict[str, Problem] = {}
    for spec in sorted(str(problem) for problem in table["problem"].unique()):
        try:
            found[spec] = resolve_problem(spec)
        except (JDBenchError, ImportError, AttributeError):
            continue
    return found


def families(problems: Mapping[str, Problem]) -> dict[str, str]:
    """Return the family of each problem.

    Args:
        problems: Of `problems_of`.

    Returns:
        Families by spec.
    """
    return {spec: problem.family for spec, problem in problems.items()}


def analytic(problems: Mapping[str, Problem]) -> dict[str, AnalyticProblem]:
    """Return those problems that are analytic.

    Args:
        problems: Of `problems_of`.

    Returns:
        Analytic problems by spec.
    """
    return {spec: problem for spec, problem in problems.items() if isinstance(problem, AnalyticProblem)}


def shapes(problems: Mapping[str, Problem], records: Iterable[Record]) -> dict[str, tuple[int, int]]:
    """Return the shape of the Jacobian of each analytic problem, as its paths tell where it cannot be had.

    Args:
        problems: Of `problems_of`.
        records: Records, with the curves of those that have a path.

    Returns:
        m and n by spec; without trainings and problems that cannot be had and left no path.
    """
    found = {spec: (problem.m, problem.n) for spec, problem in analytic(problems).items()}
    for record in records:
        if record.spec.problem not in problems and {"x", "f"} <= record.curves.keys():
            found[record.spec.problem] = record.curves["f"].shape[1], record.curves["x"].shape[1]
    return found


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many runs of each aggregator on each problem finished, diverged and failed, at all rates.

    Args:
        table: An `indicator_table`.

    Returns:
        Columns ``problem aggregator runs finished diverged failed``.
    """
    counts = pd.crosstab([table["problem"], table["aggregator"]], table["state"])
    counts = counts.reindex(columns=["finished", "diverged", "failed"], fill_value=0)
    counts.insert(0, "runs", counts.sum(axis=1))
    counts.columns.name = None
    return counts.reset_index()
