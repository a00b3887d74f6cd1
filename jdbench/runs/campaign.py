"""A campaign: all specs of a protocol, run where they are missing from the store, with a live display."""

import contextlib
import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jdbench.aggregator import aggregate, is_built_in, resolve
from jdbench.descent.directions import MemberAggregators
from jdbench.descent.optimizers import DESCENT, check_optimizer
from jdbench.environment import environment, provenance_fact
from jdbench.errors import InputError
from jdbench.problem import TrainingProblem, benchmark_problems, canonical_problem, resolve_problem
from jdbench.roster import LEADERBOARD
from jdbench.runs.protocol import Protocol, RunSpec, batches, first_round, preset, second_round
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batches
from jdbench.runs.store import Store
from jdbench.workers import local_executor


def run_campaign(
    *,
    problems: Sequence[str] | None,
    aggregators: Sequence[str] | None,
    preset_name: str,
    seeds: int | None,
    optimizer: str,
    path: Path,
    workers: int,
    console: Console,
) -> int:
    """Run what the store lacks, and print what became of it.

    Args:
        problems: Specs of problems; those of `jdbench.problem.benchmark_problems` if None.
        aggregators: Specs of aggregators; the leaderboard's if None.
        preset_name: Name of the protocol.
        seeds: Number of runs of each rate; the preset's if None.
        optimizer: Spec of the optimiser.
        path: The store, made if missing.
        workers: Number of processes.
        console: Where progress goes.

    Returns:
        Number of runs that failed.

    Raises:
        InputError: A name or number is not usable; found before anything runs.
        StoreError: The store cannot be written, or holds another preset.
    """
    protocol = _protocol(preset_name, seeds, optimizer)
    if workers < 1:
        raise InputError(f"workers={workers}, required at least 1, got fewer, try the number of cores")
    present, absent = _present(problems, quick=preset_name == "quick")
    names = [canonical_problem(name) for name in present]
    specs = [resolve(spec).spec for spec in aggregators or LEADERBOARD]
    stamp = protocol.preset if optimizer == DESCENT else f"{protocol.preset} with {optimizer}"
    with Store(path, create=True) as store:
        store.stamp(stamp)
        said = {name: problem.caution() for name, problem in _trainings(names).items()}
        cautions = [f"caution: {name}: {line}" for name, line in said.items() if line]
        for line in [*(f"left out: {line}" for line in absent), *cautions]:
            console.print(line, markup=False)
        first = first_round(protocol, names, specs)
        facts = environment(workers)
        failures: list[Record] = []
        try:
            with _display(console) as progress:
                failures += _run_missing(first, store, facts, workers, progress, "runs")
                if protocol.refined:
                    wanted = {spec.key for spec in first}
                    areas = {
                        record.spec: record.indicators["area"]
                        for record in store.records(curves=False)
                        if record.spec.key in wanted
                    }
                    second = second_round(protocol, areas)
                    failures += _run_missing(second, store, facts, workers, progress, "refined")
        except KeyboardInterrupt:
            console.print(
                f"interrupted; {len(store.done())} runs are in {path}, start again to go on", markup=False
            )
            raise
        _summary(store, path, failures, console)
    return len(failures)


def _present(problems: Sequence[str] | None, *, quick: bool) -> tuple[list[str], list[str]]:
    """Return the problems that can be run here, and why others cannot: an error if asked for by name."""
    present: list[str] = []
    absent: list[str] = []
    for name in problems or benchmark_problems(quick):
        problem = resolve_problem(name)
        absence = problem.absence() if isinstance(problem, TrainingProblem) else ""
        if absence and problems:
            raise InputError(f"problem={name!r}: {absence}")
        if absence:
            absent.append(f"{name}: {absence}")
        else:
            present.append(name)
    return present, absent


def _trainings(names: Iterable[str]) -> dict[str, TrainingProblem]:
    """Return those of the problems that are trainings."""
    problems = {name: resolve_problem(name) for name in names}
    return {name: problem for name, problem in problems.items() if isinstance(problem, TrainingProblem)}


def _protocol(name: str, seeds: int | None, optimizer: str) -> Protocol:
    check_optimizer(optimizer)
    return replace(preset(name).with_seeds(seeds), optimizer=optimizer)


def _run_missing(
    specs: Sequence[RunSpec], store: Store, facts: dict[str, str], workers: int, progress: Progress, name: str
) -> list[Record]:
    """Run the specs that the store lacks, and give the failed records."""
    done = store.done()
    missing = [spec for spec in specs if spec.key not in done]
    task = progress.add_task(name, total=len(specs), completed=len(specs) - len(missing), running=0, failed=0)
    failures: list[Record] = []
    if not missing:
        return failures
    # Of these problems only: others in the store may have been run on other data.
    drawn = {
        name: problem.provenance()
        for name, problem in _trainings(dict.fromkeys(spec.problem for spec in missing)).items()
    }
    facts = facts | {provenance_fact(name): line for name, line in drawn.items() if line}
    executor = local_executor(workers)
    clean = False
    try:
        _compile_kernels(missing, executor, progress)
        groups = batches(missing)
        left = len(groups)
        progress.update(task, running=min(workers, left))
        for batch, records in run_batches(groups, executor, 2 * workers):
            left -= 1
            store.append(records, facts)
            failures += [record for record in records if record.state == "failed"]
            progress.update(task, advance=len(batch), failed=len(failures), running=min(workers, left))
        clean = True
    finally:
        if clean:
            executor.shutdown()
        else:
            executor.kill()
    return failures


def _compile_kernels(specs: Sequence[RunSpec], executor: Executor, progress: Progress) -> None:
    """Call every aggregator once: each kernel is compiled before any run, which reads it from the cache.

    Ours are called here, one after the other; those of others in the workers, since they may end the process.
    """
    task = progress.add_task("compiling kernels", total=None, running=0, failed=0)
    theirs: list[Future[None]] = []
    for spec in dict.fromkeys(spec.aggregator for spec in specs):
        if is_built_in(spec):
            _call_once(spec)
        else:
            theirs.append(executor.submit(_call_once, spec))
    wait(theirs)
    progress.remove_task(task)


def _call_once(spec: str) -> None:
    # An aggregator that takes no 2 × 2 matrix compiles later, or has nothing to compile.
    with contextlib.suppress(Exception):
        aggregator = MemberAggregators(resolve(spec).aggregator).of(0)
        aggregate(aggregator, torch.eye(2, dtype=torch.float64), generator=torch.Generator().manual_seed(0))


def _display(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("running {task.fields[running]}, failed {task.fields[failed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _summary(store: Store, path: Path, failures: Sequence[Record], console: Console) -> None:
    console.print(
        f"{len(store.done())} runs in {path}; `jdbench report --store {shlex.quote(str(path))}` makes the page",
        markup=False,
    )
    for record in failures[:5]:
        spec = record.spec
        console.print(
            f"failed: {spec.aggregator} on {spec.problem}, rate {spec.rate:.3g}, seed {spec.seed}: "
            f"{record.error}",
            markup=False,
        )
    if len(failures) > 5:
        console.print(f"… and {len(failures) - 5} more; failed runs are tried again at the next start")
