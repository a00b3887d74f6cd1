"""The table of the verdicts on properties, apart because it follows from no run."""

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table

PROPERTY_VERDICTS = Table(
    "verdicts",
    "Properties of the aggregators, as far as they were searched for violations",
    (schema.AGGREGATOR, schema.PROPERTY, schema.OUTCOME),
    lambda results: results.verdicts.frame(),
    listed=False,
)
