"""Time of every aggregator's weights at m = 32, ours and TorchJD's of the same name, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.against_torchjd [--size 32]

Times are medians of the process's CPU time, taken in turns. GradDrop and NashMTL have no weights in TorchJD:
both libraries' are called.
"""

import argparse
import warnings

import torch

from benchmarks.peers import MATRIX, peer, peer_weights
from benchmarks.weights import draw, seconds
from jdbench import aggregators
from jdbench.gramian import gramian


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds for each aggregator")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    m = arguments.size
    J = draw(m, 4 * m, seed=0)
    G = gramian(J)
    print(f"{'aggregator':12} {'jdbench ms':>11} {'torchjd ms':>11} {'ratio':>7}   m={m}")
    for name in aggregators.__all__:
        called = name in MATRIX
        ours = getattr(aggregators, name)()
        given = J if called else G
        mine, theirs = (ours, peer(name, m)) if called else (ours.weights, peer_weights(name, m))
        mine(given)  # compiles
        calls = {
            "ours": lambda call=mine, given=given: call(given),
            "theirs": lambda call=theirs, given=given: call(given),
        }
        times = seconds(calls, arguments.budget)
        ratio = times["theirs"] / times["ours"]
        print(f"{name:12} {times['ours'] * 1e3:11.4f} {times['theirs'] * 1e3:11.4f} {ratio:7.1f}", flush=True)


if __name__ == "__main__":
    main()
