"""Times of calls that take turns, so that a disturbance of the machine meets them all."""

import time
from collections.abc import Callable, Mapping

LEAST = 3
"""Turns that every call takes, however slow."""


def alternate(
    calls: Mapping[str, Callable[[], object]],
    turns: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    patience: float = float("inf"),
) -> dict[str, list[float]]:
    """Return the seconds of each call at each of its turns.

    Before them each is called once, uncounted: memory is laid out, kernels are compiled.

    Args:
        calls: What to call, by name.
        turns: Number of turns, at most.
        seconds: What a call may use up; then it drops out, once it has had `LEAST` turns.
        clock: Another one, such as `time.process_time` on a machine that others use too.
        patience: A first call that takes longer counts, and is the only one.

    Returns:
        Times by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for name, call in calls.items():
        start = clock()
        call()
        first = clock() - start
        taken[name] += [first] if first > patience else []
    waiting = [name for name in calls if not taken[name]]
    for _ in range(turns):
        for name in waiting:
            if len(taken[name]) >= min(LEAST, turns) and sum(taken[name]) > seconds:
                continue
            start = clock()
            calls[name]()
            taken[name].append(clock() - start)
    return taken
