"""What was run: specs, records, the store, and what runs them; `campaign` is what ``jdbench run`` calls."""

from jdbench.runs.protocol import Budget, Protocol, RunSpec, batches, first_round, preset, second_round
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch, run_batches
from jdbench.runs.store import Store

__all__ = [
    "Budget",
    "Protocol",
    "Record",
    "RunSpec",
    "Store",
    "batches",
    "first_round",
    "preset",
    "run_batch",
    "run_batches",
    "second_round",
]
