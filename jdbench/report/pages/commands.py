"""The commands that make the runs of a store and its report again."""

import shlex

from jdbench.analysis.results import Results
from jdbench.problem import benchmark_problems
from jdbench.roster import LEADERBOARD
from jdbench.runs.protocol import PRESETS


def commands(results: Results, *, compact: bool = False) -> list[str]:
    """Return the commands, with the options that the store betrays.

    Args:
        results: What was read.
        compact: Whether the report is.

    Returns:
        A line for each preset that was run, and one for the report.
    """
    problems = [subject.spec for subject in results.subjects]
    aggregators = results.aggregators
    lines: list[str] = []
    for stamp in results.presets:
        name, _, optimizer = stamp.partition(" with ")
        words = ["jdbench", "run", "--preset", name]
        if optimizer:
            words += ["--optimizer", optimizer]
        words += _seeds(results, name)
        if set(problems) != set(benchmark_problems(quick=name == "quick")):
            words += [word for problem in problems for word in ("-p", problem)]
        if set(aggregators) != set(LEADERBOARD):
            words += [word for aggregator in aggregators for word in ("-a", aggregator)]
        report = ["jdbench", "report", *(["--compact"] if compact else []), "--store", f"results/{name}.sqlite"]
        lines += [shlex.join(words), shlex.join(report)]
    return lines


def _seeds(results: Results, preset: str) -> list[str]:
    """Return the option of the number of seeds if every problem has the same, and not the preset's."""
    counts: dict[str, int] = {}
    for row in results.rows("indicators"):
        counts[row["problem"]] = max(row["seed"], counts.get(row["problem"], 0))
    if preset not in PRESETS or len(set(counts.values())) != 1:
        return []
    protocol = PRESETS[preset]
    if all(
        s.problem is not None and protocol.budget(s.problem).seeds == counts[s.spec] for s in results.subjects
    ):
        return []
    return ["--seeds", str(counts[results.subjects[0].spec])]
