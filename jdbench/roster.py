"""The aggregators of every leaderboard, and the order in which tables list any aggregators."""

from collections.abc import Iterable, Sequence

LEADERBOARD = (
    "Mean",
    "MGDA",
    "DualProj",
    "DualProj(trace_regularization=0.0001)",
    "PCGrad",
    "GradDrop",
    "IMTLG",
    "CAGrad",
    "RGW",
    "NashMTL",
    "AlignedMTL",
    "UPGrad",
    "UPGrad(trace_regularization=0.0001)",
)
"""Specs of every leaderboard: Table 1 in its order, with the published variants beside the definitions."""


def in_order(names: Iterable[str]) -> list[str]:
    """Return specs in the order of [JD] Table 1, others by name after them.

    Args:
        names: Specs.

    Returns:
        The specs, each once.
    """
    known: Sequence[str] = LEADERBOARD
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))
