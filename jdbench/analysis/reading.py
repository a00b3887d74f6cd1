"""A store to its results, in one pass: the table of runs, and the curves of the selected and reference runs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jdbench.analysis.frames import rows
from jdbench.analysis.problems import Resolver, entry_of, resolve_announced
from jdbench.analysis.results import Results, RunKey
from jdbench.analysis.run_table import indicator_table, reference_runs, selected_runs
from jdbench.analysis.schema import PROBLEM
from jdbench.analysis.tables import declared_metrics, declared_tables
from jdbench.errors import InputError, StoreError
from jdbench.runs.record import Array, Record
from jdbench.runs.store import Store, unpacked
from jdbench.verification.summary import Verdicts

NO_VERDICTS = Verdicts()


def read(path: Path, verdicts: Verdicts = NO_VERDICTS, *, resolve: Resolver = resolve_announced) -> Results:
    """Return what follows from a store; nothing that it names as ``module:Name`` is imported by default.

    Args:
        path: File of records.
        verdicts: What is known of the aggregators' properties.
        resolve: Makes problems of their specs: `jdbench.problem.resolve_problem` imports what the store names.

    Returns:
        The results, whose tables are made when they are asked for.

    Raises:
        StoreError: The file is no store, or holds no records.
        InputError: A metric or table of an installed package is not what it should be.

    Example:
        >>> from pathlib import Path
        >>> from jdbench.analysis import read
        >>> from jdbench.runs.store import Store
        >>> import tempfile
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "runs.sqlite"
        ...     with Store(path, create=True) as store:
        ...         store.append(run_batch([RunSpec("EWQ", "Mean", 0.1, 1, 20)]), {})
        ...     read(path).table("runs")["aggregator"].tolist()
        ['Mean']
    """
    with Store(path) as store:
        records = list(store.records(packed=True))
        if not records:
            raise StoreError(
                f"store={path}, required at least one record, got none, run `jdbench run --store {path}`"
            )
        presets, environments = store.presets(), store.environments()
    return results_of(records, verdicts, presets, environments, resolve=resolve)


def results_of(
    records: Iterable[Record],
    verdicts: Verdicts = NO_VERDICTS,
    presets: Sequence[str] = (),
    environments: Sequence[Mapping[str, str]] = (),
    *,
    resolve: Resolver = resolve_announced,
) -> Results:
    """Return what follows from records.

    Args:
        records: At least one; the curves of the selected and reference runs are kept.
        verdicts: What is known of the aggregators' properties.
        presets: Names of what was run.
        environments: Where it was run.
        resolve: Makes problems of their specs, as for `read`.

    Returns:
        The results.

    Raises:
        InputError: There is no record, or a metric or table of an installed package is not what it should be.

    Example:
        >>> from jdbench.analysis import results_of
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> results = results_of(run_batch([RunSpec("EWQ", name, 0.1, 1, 20) for name in ("Mean",)]))
        >>> results.aggregators, [entry.family for entry in results.problems]
        (['Mean'], ['convex'])
    """
    known = list(records)
    if not known:
        raise InputError("records, required at least one, got none, run a benchmark first")
    metrics = declared_metrics()
    runs = indicator_table(known, metrics)
    made = {"indicators": runs, "selected": selected_runs(runs), "references": reference_runs(runs)}
    wanted = {key for name in ("selected", "references") for key in rows(made[name], RunKey)}
    curves: dict[RunKey, Mapping[str, Array]] = {}
    for record in known:
        spec = record.spec
        key = RunKey(spec.problem, spec.aggregator, spec.seed, spec.rate, bool(spec.trace))
        if key in wanted:
            curves[key] = unpacked(record.curves)
    measured = {key.problem for key, found in curves.items() if "distance" in found}
    sizes = {
        key.problem: (found["f"].shape[1], found["x"].shape[1])
        for key, found in curves.items()
        if {"x", "f"} <= found.keys()
    }
    specs = sorted(str(spec) for spec in runs[PROBLEM].unique())
    problems = [
        entry_of(spec, measured=spec in measured, path_shape=sizes.get(spec), resolve=resolve) for spec in specs
    ]
    problems.sort(key=lambda entry: (entry.kind, entry.family))
    return Results(
        problems,
        curves,
        presets,
        environments,
        verdicts,
        [metric.column for metric in metrics],
        declared_tables(),
        made,
    )
