"""Verdicts made by hand, and the command line called in this process."""

import sys

import pytest
import torch

from jdbench.cli.main import main
from jdbench.verification.properties import TABLE_1
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import Outcome, Verdict
from jdbench.verification.witnesses import Witness
from support.tensors import tensor

CONFLICT = Witness(Matrix(tensor([1.0], [-2.0]), "any shape"))
"""Where the mean of two rows conflicts with the first."""


def verdict(
    aggregator: str = "Mean",
    prop: str = TABLE_1[0],
    outcome: str = "refuted",
    *,
    dtype: torch.dtype = torch.float64,
    witness: Witness = CONFLICT,
    margin: float = -0.25,
    message: str = "",
) -> Verdict:
    """Return a verdict after 160 matrices."""
    return Verdict(
        prop, dtype, Outcome(outcome), 160, margin, 1e-14, witness, message, prop, aggregator=aggregator
    )


def jdbench(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run a command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["jdbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
