"""The roster: each aggregator of ours declared once, for leaderboards, claims, figures and what is verified.

`python -m jdbench.roster` prints the specs that `make verification` verifies, one a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """An aggregator of `jdbench.aggregators`.

    Attributes:
        name: Its name there.
        colour: Its colour in every figure, told from the others' on white; one of the spare ones if empty.
        variants: Keywords of the published variants that stand beside the definition.
        peer: Spec of TorchJD's aggregator of the same method, which is verified beside ours; empty if none is.
        leaderboard: Whether it and its variants are in every leaderboard.

    Example:
        >>> from jdbench.roster import Entry
        >>> Entry("UPGrad", variants=("trace_regularization=0.0001",)).specs
        ('UPGrad', 'UPGrad(trace_regularization=0.0001)')
    """

    name: str
    colour: str = ""
    variants: tuple[str, ...] = ()
    peer: str = ""
    leaderboard: bool = True

    @property
    def specs(self) -> tuple[str, ...]:
        """The definition's spec and those of the variants."""
        return self.name, *(f"{self.name}({keywords})" for keywords in self.variants)


ROSTER = (
    Entry("Mean", "#1a1a1a", peer="torchjd.aggregation:Mean"),
    Entry("MGDA", "#2e8b37", peer="torchjd.aggregation:MGDA"),
    Entry("DualProj", "#1f5fd0", ("trace_regularization=0.0001",), peer="torchjd.aggregation:DualProj"),
    Entry("PCGrad", "#f08c00", peer="torchjd.aggregation:PCGrad"),
    Entry("GradDrop", "#8a5a3b", peer="torchjd.aggregation:GradDrop"),
    Entry("IMTLG", "#8e44c9", peer="torchjd.aggregation:IMTLG"),
    Entry("CAGrad", "#12a5b5", peer="torchjd.aggregation:CAGrad(c=0.5)"),
    Entry("RGW", "#8f9aa3", peer="torchjd.aggregation:Random"),
    # TorchJD's takes the number of rows when it is made, and remembers what it was called with.
    Entry("NashMTL", "#ee62b0"),
    Entry("AlignedMTL", "#a89400", peer="torchjd.aggregation:AlignedMTL"),
    Entry("UPGrad", "#d1121f", ("trace_regularization=0.0001",), peer="torchjd.aggregation:UPGrad"),
)
"""[JD] Table 1 in its order, with the published variants."""

LISTED = tuple(spec for entry in ROSTER for spec in entry.specs)
"""All specs, in the order in which tables list them: variants beside their definitions."""

LEADERBOARD = tuple(spec for entry in ROSTER if entry.leaderboard for spec in entry.specs)
"""Specs of every leaderboard, in that order."""

CLAIMED = (*(entry.name for entry in ROSTER), *(spec for entry in ROSTER for spec in entry.specs[1:]))
"""Specs that have claims: the definitions, then the variants."""

VERIFIED = (*CLAIMED, *(entry.peer for entry in ROSTER if entry.peer))
"""Specs that `make verification` verifies: ours, then TorchJD's."""


def in_order(names: Iterable[str]) -> list[str]:
    """Return specs, each once, in the order of the roster, others by name after them.

    Example:
        >>> from jdbench.roster import in_order
        >>> in_order(["mine:A", "UPGrad", "Mean", "UPGrad"])
        ['Mean', 'UPGrad', 'mine:A']
    """
    return sorted(set(names), key=lambda name: (LISTED.index(name) if name in LISTED else len(LISTED), name))


if __name__ == "__main__":
    print("\n".join(VERIFIED))
