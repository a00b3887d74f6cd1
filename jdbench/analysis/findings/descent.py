"""Predictions about descent at Theorem 1's rate: convergence, weights, Appendix A.1's stalls, opposed rows."""

import math
from collections.abc import Sequence
from functools import partial

from jdbench.analysis.findings.evidence import (
    EXACT,
    Answer,
    Evidence,
    Prediction,
    Run,
    judged,
    untold,
)
from jdbench.analysis.problems import announced_problem
from jdbench.analysis.stops import OPTIMAL_SHARE, STOPS
from jdbench.problem import AnalyticProblem, benchmark_problems
from jdbench.runs.protocol import PRESETS

STARTS = list(range(1, 9))
"""Seeds of the starts that Appendix A.1 is judged by; 5 and 6 lie on a diagonal of EWQ."""

DIAGONAL = [5, 6]

STEPS = PRESETS["quick"].reference_steps
"""Steps that the counts of Appendix A.1 are of: Aligned-MTL is free after about 800."""

LATE = 400
"""Steps that a run must have twice to show whether weights still grow."""

GROWTH = 1.01
"""Weights that grow by no more from the first half of the steps to the second are at rest."""

BOUND = 1000.0
"""Norm below which weights stay, where no point minimises every objective."""

NO_RUNS = f"runs of {EXACT} at Theorem 1's rate on a convex problem: `jdbench run -a {EXACT}` makes them"


def of_theorem_1(name: str) -> bool:
    """Whether objectives are convex with a Lipschitz Jacobian, and there is a Pareto set to come to."""
    problem = announced_problem(name)
    if not isinstance(problem, AnalyticProblem):
        return False
    return problem.convex and problem.beta is not None and problem.attained


def interpolates(name: str) -> bool:
    """Whether one point minimises every objective: there all gradients vanish, each at its rate."""
    problem = announced_problem(name)
    if not isinstance(problem, AnalyticProblem):
        return False
    return name.startswith("InstanceLeastSquares") and problem.m <= problem.n


def _theorem_1(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of exact UPGrad on problems that fulfil Theorem 1's assumptions, by problem."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.aggregator == EXACT:
            found.setdefault(run.problem, []).append(run)
    return {name: found[name] for name in sorted(found) if of_theorem_1(name)}


def was_run_everywhere(evidence: Evidence) -> Answer:
    """Judge whether Theorem 1's rate was run, to its end, wherever the assumptions hold, from every start."""
    found, chosen = _theorem_1(evidence.references), _theorem_1(evidence.selected)
    if not found:
        return untold(NO_RUNS)
    starts = {run.seed for runs in (*found.values(), *chosen.values()) for run in runs}
    present = sorted({*found, *chosen})
    violations: list[str] = []
    for name in present:
        runs = found.get(name, [])
        absent = sorted(starts - {run.seed for run in runs})
        violations += [f"{name}: not from the starts {', '.join(map(str, absent))}"] if absent else []
        violations += [f"{_run(run)} {run.state}" for run in runs if run.state != "finished"]
    quick = all(name.startswith("quick") for name in evidence.presets)
    others = [name for name in benchmark_problems(quick) if of_theorem_1(name) and name not in present]
    numbers = {"problems": len(present), "starts": len(starts)}
    if others and not violations:
        return untold(f"runs on {', '.join(others)}", **numbers)
    return judged(violations, **numbers)


def converges(evidence: Evidence) -> Answer:
    """Judge whether exact UPGrad comes to the front from every start."""
    found = _theorem_1(evidence.references)
    if not found:
        return untold(NO_RUNS)
    left = {_run(run): run.left for runs in found.values() for run in runs}
    violations = [f"{run} ends at {share:.3g}" for run, share in left.items() if not share <= OPTIMAL_SHARE]
    largest = max((share for share in left.values() if share <= OPTIMAL_SHARE), default=math.nan)
    return judged(
        violations, problems=len(found), runs=len(left), **{"largest share of the distance left": largest}
    )


def weights_come_to_rest(evidence: Evidence) -> Answer:
    """Judge whether ‖w‖ of exact UPGrad stops growing, below `BOUND` if no point minimises all objectives."""
    violations: list[str] = []
    largest: dict[str, float] = {}
    short: list[str] = []
    for name, norms in sorted(evidence.weights.items()):
        if not of_theorem_1(name):
            continue
        half = max(norms, default=0) / 2
        if half <= LATE:
            short.append(name)
            continue
        early = max((norm for step, norm in norms.items() if step <= half), default=math.nan)
        late = max(norm for step, norm in norms.items() if step > half)
        largest[name] = late
        if math.isnan(early):
            violations.append(f"{name}: no finite norm up to step {half:g}")
        elif not late <= GROWTH * early:
            violations.append(f"{name}: grows from {early:.4g} to {late:.4g}")
        elif not (late <= BOUND or interpolates(name)):
            violations.append(f"{name}: {late:.4g}")
    if not largest:
        return untold(f"runs of more than {2 * LATE} steps" if short else NO_RUNS)
    top = max(largest, key=lambda one: largest[one])
    too_short = {"too short": ", ".join(short)} if short else {}
    return judged(violations, problems=len(largest), **{"largest norm": largest[top], "on": top}, **too_short)


STALLS = {
    "MGDA": (2, 6, 0),
    "CAGrad": (8, 0, 0),
    "AlignedMTL": (8, 0, 0),
    "NashMTL": (6, 1, 1),
    "UPGrad": (8, 0, 0),
    "UPGrad(trace_regularization=0.0001)": (8, 0, 0),
    "DualProj": (8, 0, 0),
    "Mean": (8, 0, 0),
}
"""Optimal, only stationary, neither, of eight starts on EWQ, two of them on a diagonal.

MGDA as in the paper: it stops at an axis, if it does not start where |x₁| = |x₂|. CAGrad not as there: solved
to convergence it comes to the optimum. Aligned-MTL as there for hundreds of steps, until the square of the
smaller gradient leaves float64. Nash-MTL's steps do not shrink: it ends within one of them, where the rate may
carry it across the optimum.
"""


def stops_as_listed(evidence: Evidence, aggregator: str) -> Answer:
    """Judge whether the eight runs on EWQ stop where `STALLS` says."""
    runs, missing = _on_ewq(evidence, aggregator)
    if missing:
        return untold(missing)
    stops = [run.stop for run in runs.values()]
    found = {name: stops.count(name) for name in STOPS}
    wanted = dict(zip(STOPS, (*STALLS[aggregator], 0), strict=True))
    predicted = ", ".join(f"{name} {number}" for name, number in wanted.items())
    return judged([] if found == wanted else [f"predicted were {predicted}"], **found)


def mgda_stalls_far(evidence: Evidence) -> Answer:
    """Judge whether MGDA stops far from EWQ's optimum, save from the starts on a diagonal."""
    runs, missing = _on_ewq(evidence, "MGDA")
    if missing:
        return untold(missing)
    left = {seed: run.left for seed, run in runs.items()}
    near = [seed for seed, share in left.items() if share <= OPTIMAL_SHARE]
    far = {seed: share for seed, share in left.items() if seed not in DIAGONAL}
    violations = [] if near == DIAGONAL else [f"optimal from the starts {near}"]
    violations += [f"{_run(runs[seed])} ends at {share:.3g}" for seed, share in far.items() if not share > 0.1]
    return judged(violations, **{"smallest share of the distance left": min(far.values())})


def aligned_mtl_is_slow(evidence: Evidence) -> Answer:
    """Judge whether Aligned-MTL needs ten times UPGrad's steps on EWQ, save from the starts on a diagonal."""
    aligned, missing = _on_ewq(evidence, "AlignedMTL")
    exact, also = _on_ewq(evidence, EXACT)
    if missing or also:
        return untold(missing or also)
    fewest, most = (
        one(runs[seed].steps_to_target for seed in STARTS if seed not in DIAGONAL)
        for one, runs in ((min, aligned), (max, exact))
    )
    violations = [] if fewest > 10 * most else [f"{fewest:g} steps are not ten times {most:g}"]
    return judged(violations, **{"fewest steps of AlignedMTL": fewest, f"most steps of {EXACT}": most})


def rests(evidence: Evidence, aggregator: str, *, wanted: bool = True) -> Answer:
    """Judge whether an aggregator stays where it starts on the zero-sum game, or moves if that is wanted."""
    runs = evidence.at_reference("ZeroSum", aggregator)
    if not runs:
        return untold(f"runs of {aggregator} on ZeroSum at Theorem 1's rate")
    lengths = {_run(run): run.path_length for run in runs.values()}
    violations = [
        f"{run} has a path of length {length:.3g}"
        for run, length in lengths.items()
        if not (length == 0 if wanted else length > 0)
    ]
    return judged(violations, starts=len(runs), **{"longest path": max(lengths.values())})


def _on_ewq(evidence: Evidence, aggregator: str) -> tuple[dict[int, Run], str]:
    """Return the runs on EWQ at Theorem 1's rate, and what is missing among them."""
    runs = evidence.at_reference("EWQ", aggregator)
    if list(runs) == STARTS and all(run.steps == STEPS for run in runs.values()):
        return runs, ""
    return runs, f"runs of {aggregator} on EWQ at Theorem 1's rate, from eight starts, {STEPS} steps each"


def _run(run: Run) -> str:
    return f"{run.problem} from start {run.seed}"


PREDICTIONS = (
    Prediction(
        "theorem-1-everywhere",
        "The rate 1/(β√m) was run on every problem that fulfils Theorem 1's assumptions, from every start",
        "[JD] Theorem 1",
        was_run_everywhere,
    ),
    Prediction(
        "theorem-1-converges",
        f"UPGrad comes to the Pareto front from every start, within {OPTIMAL_SHARE:g} of its distance",
        "[JD] Theorem 1",
        converges,
    ),
    Prediction(
        "theorem-1-bounded-weights",
        f"UPGrad's weights stop growing, below {BOUND:g} where no point minimises every objective",
        "[JD] Theorem 1, its assumption",
        weights_come_to_rest,
    ),
    *(
        Prediction(
            f"a1-stops-{name}",
            f"On EWQ {name} ends optimal from {counts[0]} of 8 starts, only stationary from {counts[1]}",
            "[JD] Appendix A.1, Figure 3",
            partial(stops_as_listed, aggregator=name),
        )
        for name, counts in STALLS.items()
    ),
    Prediction(
        "a1-mgda-stalls-far",
        "On EWQ MGDA stops at more than a tenth of its distance, save from the starts with |x₁| = |x₂|",
        "[JD] Appendix A.1, Figure 3",
        mgda_stalls_far,
    ),
    Prediction(
        "a1-aligned-mtl-is-slow",
        "On EWQ Aligned-MTL takes ten times UPGrad's steps, save from the starts with |x₁| = |x₂|",
        "[JD] Appendix A.1, Figure 3",
        aligned_mtl_is_slow,
    ),
    *(
        Prediction(
            f"zero-sum-rests-{name}",
            f"{name} is non-conflicting and weighted, so it rests where two gradients are opposed",
            "[JD] Definitions 1 and 3",
            partial(rests, aggregator=name),
        )
        for name in ("UPGrad", "DualProj", "MGDA")
    ),
    Prediction(
        "zero-sum-moves-RGW",
        "RGW conflicts, and moves where two gradients are opposed",
        "[JD] Table 1",
        partial(rests, aggregator="RGW", wanted=False),
    ),
)
