"""What the selected runs of each aggregator on each problem were like along the way."""

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import grouped, only
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, PROBLEM, STATE

ALONG = (
    schema.DECADES_MEDIAN, schema.DECADES_LARGEST, schema.WEIGHTS_MEDIAN, schema.WEIGHTS_LARGEST,
    schema.MEAN_COSINE, schema.RISES, schema.LARGEST_RISE, schema.SMOOTHNESS, schema.PATH_LENGTH,
    schema.SECONDS,
)  # fmt: skip
"""Indicators of which it tells, of each as far as runs have it."""

LARGEST = (schema.DECADES_LARGEST, schema.WEIGHTS_LARGEST, schema.LARGEST_RISE)
"""Those of which the largest over the runs is told; of the others, the median."""


def along(results: Results) -> pd.DataFrame:
    """Return medians over the selected runs that finished, of `LARGEST` the largest, and of the metrics."""
    ended = only(results.table("selected"), STATE, "finished")
    names = [str(name) for name in (*ALONG, *results.metrics) if name in ended]
    return grouped(
        ended, [PROBLEM, AGGREGATOR], {name: "max" if name in LARGEST else "median" for name in names}
    )


ALONG_TABLE = Table(
    "along",
    "What the selected runs were like",
    (PROBLEM, AGGREGATOR, schema.SECONDS),
    along,
    needs=("selected",),
    rest=schema.INDICATOR,
    listed=False,
)
