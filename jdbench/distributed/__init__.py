"""Jacobian descent with one objective per data share, over torch.distributed ([JD] Section 3)."""

from jdbench.distributed.aggregation import aggregate_gradients, aggregate_shares, gather_rows
from jdbench.distributed.processes import run_ranks
from jdbench.distributed.training import SharedTraining, Trained, train_distributed

__all__ = [
    "SharedTraining",
    "Trained",
    "aggregate_gradients",
    "aggregate_shares",
    "gather_rows",
    "run_ranks",
    "train_distributed",
]
