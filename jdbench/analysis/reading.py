"""A store to what a report reads: its tables, and the curves of the selected and reference runs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from jdbench.analysis.problems import subject_of
from jdbench.analysis.results import Name, Results, name_of, rows_of
from jdbench.analysis.run_table import indicator_table, problems_of, reference_runs, selected_runs, shapes
from jdbench.analysis.tables import score_tables
from jdbench.errors import StoreError
from jdbench.runs.record import Record
from jdbench.runs.store import Store
from jdbench.verification.summary import Verdicts


def read(path: Path, verdicts: Verdicts) -> Results:
    """Read what a report needs from a store.

    Args:
        path: File of records.
        verdicts: What is known of the aggregators' properties.

    Returns:
        The results.

    Raises:
        StoreError: The file is no store, or holds no records.
    """
    with Store(path) as store:
        bare = list(store.records(curves=False))
        if not bare:
            raise StoreError(
                f"store={path}, required at least one record, got none, run `jdbench run --store {path}`"
            )
        indicators = indicator_table(bare)
        references = reference_runs(indicators)
        wanted = {name_of(row) for part in (selected_runs(indicators), references) for row in rows_of(part)}
        curves = {name: record.curves for name, record in _named(store.records()) if name in wanted}
        presets, environments = store.presets(), store.environments()
    kept = [replace(record, curves=curves.get(name, {})) for name, record in _named(bare)]
    scored = {**score_tables(kept), "references": references}
    measured = {name[0] for name, found in curves.items() if "distance" in found}
    sizes = shapes(problems_of(indicators), kept)
    specs = sorted(str(spec) for spec in indicators["problem"].unique())
    subjects = [subject_of(spec, measured=spec in measured, shape=sizes.get(spec)) for spec in specs]
    subjects.sort(key=lambda subject: (subject.kind, subject.family))
    return Results(scored, curves, subjects, presets, environments, verdicts)


def _named(records: Iterable[Record]) -> Iterator[tuple[Name, Record]]:
    return ((name_of(vars(record.spec)), record) for record in records)
