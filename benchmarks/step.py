"""Time of a training step on the networks of [JD] Tables 2 to 5, by method, with its ratio to SGD.

    OMP_NUM_THREADS=2 python -m benchmarks.step --batch 32
    OMP_NUM_THREADS=1 python -m benchmarks.step --clock process    # on a machine that others use too

Steps alternate, so that a disturbance meets them all; medians and minima are printed.
"""

import argparse
import time
from statistics import median

from benchmarks.alternating import alternate
from benchmarks.methods import METHODS, step
from benchmarks.threads import THREADS, set_threads
from jdbench.problems.networks import NETWORKS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--aggregator", default="UPGrad")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["SGD", "engine", "autogram"])
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    given = parser.parse_args()
    set_threads()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    print(f"batch {given.batch}, {given.aggregator}, {THREADS} threads (OMP_NUM_THREADS)")
    for network in NETWORKS:
        calls = {name: step(name, network, given.batch, given.aggregator) for name in given.methods}
        taken = alternate(calls, given.steps, float("inf"), clock)
        first = taken[given.methods[0]]
        for name, times in taken.items():
            print(
                f"{network:9} {name:9} median {1e3 * median(times):8.2f} ms "
                f"x{median(times) / median(first):.2f}"
                f"   least {1e3 * min(times):8.2f} ms x{min(times) / min(first):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
