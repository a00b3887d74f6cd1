"""What follows from the runs of a store: the table of runs, rankings, tests, profiles, choices.

`read` gives the `Results` of a store; `Results.table` gives a table by its name, see `declared_tables`. Whoever
adds a metric or a table declares a `Metric` or a `Table` of `Column`s.
"""

from jdbench.analysis.declarations import Column, Metric, Table
from jdbench.analysis.reading import read, results_of
from jdbench.analysis.results import Results
from jdbench.analysis.tables import declared_metrics, declared_tables

__all__ = ["Column", "Metric", "Results", "Table", "declared_metrics", "declared_tables", "read", "results_of"]
