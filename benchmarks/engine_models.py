"""Time of the engine by kind of model: against torch's own backward pass, and against TorchJD's autogram.

    OMP_NUM_THREADS=1 python -m benchmarks.engine_models
    OMP_NUM_THREADS=1 python -m benchmarks.engine_models --clock process --kinds RNN LSTM    # a shared machine

Everything takes turns; times are medians. "forward" zeroes gradients and makes the losses; each has its own,
since autogram's hooks work there. "backward" is all that follows: the Gramian, weights, Jᵀw, and for
autogram one more backward pass. Both get the same weights there, those of Mean, which cost nothing: engines are
compared and no solvers.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import final

import torch
from torch import Tensor
from torchjd import autogram

from benchmarks.alternating import alternate
from benchmarks.conditions import REPEAT, ROUNDS, THREADS, TIMEOUT, WARMUP_TIME, set_threads
from benchmarks.engine_networks import KINDS, Case, case
from jdbench.aggregators import Mean, UPGrad
from jdbench.gramian import Engine

METHODS = ["plain", "engine", "autogram"]
"""Torch's backward pass of the mean loss, our `Engine`, TorchJD's."""

PLAIN_BARS = {"encoder layer": 2.5, "ViT": 3.0}
"""What the engine may take: of the plain backward pass for the first, of a step of SGD for the second."""

PEER_BAR = 0.95
"""Speed of ours over TorchJD's that is asked for with every kind."""

ERROR = 1e-4
"""|error| of a Gramian relative to ‖gᵢ‖‖gⱼ‖ beyond which it is called wrong: float32 leaves 1e-6."""

RATE = 1e-4


@final
class Halves:
    """A step in two calls, to be timed apart: the losses, then what is made of them.

    Attributes:
        batched: Whether autogram takes instances apart (``batch_dim=0``); it refuses that for recurrent layers.
    """

    def __init__(self, method: str, made: Case, aggregator: Mean | UPGrad) -> None:
        """Hook what is to be hooked.

        Args:
            method: Out of `METHODS`.
            made: The model, with its data.
            aggregator: Of the engine and of autogram, whose weights ours are too.
        """
        self._case, self._aggregator = made, aggregator
        self._optimizer = torch.optim.SGD(made.model.parameters(), RATE)
        self._losses: Tensor | None = None
        self._engine = Engine(made.model) if method == "engine" else None
        self.batched, self._peer = _peer(made) if method == "autogram" else (True, None)

    def forward(self) -> None:
        """Compute the losses."""
        self._optimizer.zero_grad()
        self._losses = self._case.losses()

    def gramian(self) -> Tensor:
        """Return the Gramian of the losses, [B, B]."""
        losses = self._of_forward()
        if self._engine is not None:
            return self._engine.gramian(losses)
        assert self._peer is not None
        return self._peer.compute_gramian(losses)

    def backward(self) -> None:
        """Give the parameters their gradient."""
        losses = self._of_forward()
        if self._engine is not None:
            self._engine.backward(losses, self._aggregator)
        elif self._peer is not None:
            G = self._peer.compute_gramian(losses)
            losses.backward(self._aggregator.weights(G.double()).to(losses))
        else:
            losses.mean().backward()

    def update(self) -> None:
        """Give the parameters their gradient and move them."""
        self.backward()
        self._optimizer.step()

    def _of_forward(self) -> Tensor:
        assert self._losses is not None, "forward() comes first"
        return self._losses


def _peer(made: Case) -> tuple[bool, autogram.Engine]:
    try:
        return True, autogram.Engine(made.model, batch_dim=0)
    except ValueError:
        return False, autogram.Engine(made.model, batch_dim=None)


def exact_gramian(made: Case) -> Tensor:
    """Return the Gramian by one ordinary backward pass a loss, [B, B], float64."""
    losses = made.losses()
    parameters = [p for p in made.model.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    J = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]).double()
    return J @ J.mT


def remark(method: str, kind: str) -> str:
    """Return what is to be said of a method: that it differs from `exact_gramian`, or keeps no instances apart.

    Args:
        method: ``engine`` or ``autogram``.
        kind: Out of `KINDS`.

    Raises:
        Exception: Whatever a library refuses a model with.
    """
    halves, exact = Halves(method, case(kind), Mean()), exact_gramian(case(kind))
    halves.forward()
    norms = exact.diagonal().sqrt()
    error = float(((halves.gramian().double() - exact).abs() / norms.outer(norms)).max())
    said = "" if halves.batched else f"   {method} with batch_dim=None"
    return said + ("" if error <= ERROR else f"   {method.upper()} IS WRONG BY {error:.1e}")


def halved(
    kind: str, methods: list[str], turns: int, clock: Callable[[], float], aggregator: Mean | UPGrad, last: str
) -> dict[str, tuple[float, float]]:
    """Return the medians of both halves of a step by method.

    Args:
        kind: Out of `KINDS`.
        methods: Out of `METHODS`.
        turns: Steps of each.
        clock: Whose seconds.
        aggregator: Whose weights.
        last: The second half: ``gramian``, ``backward`` or ``update``.
    """
    calls: dict[str, Callable[[], object]] = {}
    for method in methods:
        halves = Halves(method, case(kind), aggregator)
        calls[f"{method} first"] = halves.forward
        plain = last == "gramian" and method == "plain"
        calls[f"{method} last"] = halves.backward if plain else getattr(halves, last)
    for _ in range(2):  # what engines learn from first uses is learnt before
        for call in calls.values():
            call()
    taken = alternate(calls, turns, float("inf"), clock)
    return {m: (median(taken[f"{m} first"]), median(taken[f"{m} last"])) for m in methods}


class EngineStep:
    """A step with UPGrad by kind of model, and of SGD on the mean loss."""

    params = (list(KINDS), ["plain", "engine"])
    param_names = ("kind", "method")
    rounds, repeat, warmup_time, timeout = ROUNDS, REPEAT, WARMUP_TIME, TIMEOUT

    def setup(self, kind: str, method: str) -> None:
        """Build it, and take two steps, within which kernels are compiled."""
        set_threads()
        self.halves = Halves(method, case(kind), UPGrad())
        for _ in range(2):
            self.time_step(kind, method)

    def time_step(self, kind: str, method: str) -> None:
        """Time it."""
        self.halves.forward()
        self.halves.update()


def _against_plain(kinds: list[str], turns: int, clock: Callable[[], float]) -> None:
    print("\nengine and torch's own backward pass of the mean loss; UPGrad, SGD's update")
    print("gramian, backward: engine.gramian or .backward / losses.mean().backward(), forward passes left out")
    print("step: forward + engine.backward + update / forward + losses.mean().backward() + update")
    print(f"{'kind':20} {'forward':>8} {'plain':>8} {'gramian':>14} {'backward':>14} {'step':>14}   bar")
    for kind in kinds:
        methods = ["plain", "engine"]
        gramian = halved(kind, methods, turns, clock, UPGrad(), "gramian")
        backward = halved(kind, methods, turns, clock, UPGrad(), "backward")
        update = halved(kind, methods, turns, clock, UPGrad(), "update")
        ratios = {
            "gramian": gramian["engine"][1] / gramian["plain"][1],
            "backward": backward["engine"][1] / backward["plain"][1],
            "step": sum(update["engine"]) / sum(update["plain"]),
        }
        judged = "step" if kind == "ViT" else "backward"
        bar = PLAIN_BARS.get(kind)
        print(
            f"{kind:20} {1e3 * backward['plain'][0]:5.2f} ms {1e3 * backward['plain'][1]:5.2f} ms "
            f"{1e3 * gramian['engine'][1]:5.2f} ms {ratios['gramian']:4.2f}x "
            f"{1e3 * backward['engine'][1]:5.2f} ms {ratios['backward']:4.2f}x "
            f"{1e3 * sum(update['engine']):5.2f} ms {ratios['step']:4.2f}x   "
            + ("" if bar is None else f"{judged} <= {bar}: {'met' if ratios[judged] <= bar else 'MISSED'}"),
            flush=True,
        )


def _against_peer(kinds: list[str], turns: int, clock: Callable[[], float]) -> None:
    print("\nengine and TorchJD's autogram; weights of Mean; speed: of theirs in ours, above 1 is faster")
    print(f"{'kind':20} {'ours fwd + bwd':>18} {'theirs fwd + bwd':>18} {'speed':>6} {'bwd':>6}   bar")
    for kind in kinds:
        said = remark("engine", kind)
        try:
            said += remark("autogram", kind)
        except Exception as error:  # whatever another library refuses with
            print(f"{kind:20} not supported by autogram: {type(error).__name__}: {error}{said}", flush=True)
            continue
        found = halved(kind, ["engine", "autogram"], turns, clock, Mean(), "backward")
        (a, b), (c, d) = found["engine"], found["autogram"]
        speed = (c + d) / (a + b)
        print(
            f"{kind:20} {1e3 * a:6.2f} + {1e3 * b:6.2f} ms {1e3 * c:6.2f} + {1e3 * d:6.2f} ms "
            f"{speed:6.2f} {d / b:6.2f}   "
            f">= {PEER_BAR}: {'met' if speed >= PEER_BAR else 'MISSED'}{said}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine_models",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--against", nargs="+", choices=["plain", "autogram"], default=["plain", "autogram"])
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    given = parser.parse_args()
    set_threads()
    warnings.filterwarnings("ignore", "There is a performance drop")  # of vmap, and said by the times
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    print(
        f"{THREADS} threads (OMP_NUM_THREADS), torch {torch.__version__}, batch 32, "
        f"medians of {given.turns} turns"
    )
    if "plain" in given.against:
        _against_plain(given.kinds, given.turns, clock)
    if "autogram" in given.against:
        _against_peer(given.kinds, given.turns, clock)


if __name__ == "__main__":
    main()
