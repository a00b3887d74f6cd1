"""Time of a training step on the networks of [JD] Tables 2 to 5, by method, with its ratio to SGD.

    OMP_NUM_THREADS=2 python -m benchmarks.step --batch 4 16 32 64 128 256 --memory
    OMP_NUM_THREADS=1 python -m benchmarks.step --clock process    # on a machine that others use too

Steps alternate, so that a disturbance meets them all; medians and minima are printed. Peaks of memory are those
of UPGrad's steps, each in a process of its own.
"""

import argparse
import time
from statistics import median

from benchmarks.alternating import alternate
from benchmarks.conditions import THREADS, set_threads
from benchmarks.methods import METHODS, step
from benchmarks.scaling import peak_of_step
from jdbench.problems.networks import NETWORKS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[32])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--aggregator", default="UPGrad")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["SGD", "engine", "autogram"])
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    parser.add_argument("--memory", action="store_true", help="peaks as well")
    given = parser.parse_args()
    set_threads()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    print(f"{given.aggregator}, {THREADS} threads (OMP_NUM_THREADS)")
    for network in given.networks:
        for batch in given.batch:
            calls = {name: step(name, network, batch, given.aggregator) for name in given.methods}
            taken = alternate(calls, given.steps, float("inf"), clock)
            peaks = {name: peak_of_step(name, network, batch) for name in calls if given.memory}
            first = given.methods[0]
            for name, times in taken.items():
                print(
                    f"{network:9} {batch:4} {name:9} median {1e3 * median(times):8.2f} ms "
                    f"x{median(times) / median(taken[first]):.2f}"
                    f"   least {1e3 * min(times):8.2f} ms x{min(times) / min(taken[first]):.2f}"
                    + (
                        f"   peak {peaks[name] / 2**20:7.1f} MiB x{peaks[name] / peaks[first]:.2f}"
                        if peaks
                        else ""
                    ),
                    flush=True,
                )


if __name__ == "__main__":
    main()
