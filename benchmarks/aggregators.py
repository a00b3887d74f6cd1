"""Time of every aggregator's weights at m = 32, ours and TorchJD's of the same name, in one run.

    OMP_NUM_THREADS=1 python benchmarks/aggregators.py [--size 32]

Times are medians of the process's CPU time, taken in turns. GradDrop has no weights: it is called. NashMTL of
TorchJD has none of its own either: it is called, and so is ours.
"""

import argparse
import warnings

import torch
import torchjd.aggregation as theirs
from weights import draw, seconds

from jdbench import aggregators as ours
from jdbench.gramian import gramian


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds for each aggregator")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    m = arguments.size
    J = draw(m, 4 * m, seed=0)
    G = gramian(J)
    peers = {
        "Mean": theirs.MeanWeighting(),
        "MGDA": theirs.MGDAWeighting(),
        "DualProj": theirs.DualProjWeighting(),
        "PCGrad": theirs.PCGradWeighting(),
        "IMTLG": theirs.IMTLGWeighting(),
        "CAGrad": theirs.CAGradWeighting(c=0.5),
        "RGW": theirs.RandomWeighting(),
        "AlignedMTL": theirs.AlignedMTLWeighting(),
        "UPGrad": theirs.UPGradWeighting(),
    }
    called = {"GradDrop": theirs.GradDrop()}
    try:
        called["NashMTL"] = theirs.NashMTL(n_tasks=m)
    except ImportError as error:
        print(error)
    print(f"{'aggregator':12} {'jdbench ms':>11} {'torchjd ms':>11} {'ratio':>7}   m={m}")
    for name in (*peers, *called):
        mine = getattr(ours, name)()
        if name in peers:
            calls = {"ours": lambda mine=mine: mine.weights(G), "theirs": lambda name=name: peers[name](G)}
        else:
            calls = {"ours": lambda mine=mine: mine(J), "theirs": lambda name=name: called[name](J)}
        calls["ours"]()
        times = seconds(calls, arguments.budget)
        ratio = times["theirs"] / times["ours"]
        print(f"{name:12} {times['ours'] * 1e3:11.4f} {times['theirs'] * 1e3:11.4f} {ratio:7.1f}", flush=True)


if __name__ == "__main__":
    main()
