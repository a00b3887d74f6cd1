"""The look of an aggregator, the same in every figure: colour by name, dashes for its variants."""

from collections.abc import Iterable
from dataclasses import dataclass

from jdbench.roster import ROSTER, in_order
from jdbench.spec import slug

COLOURS = {entry.name: entry.colour for entry in ROSTER if entry.colour}
"""Colours of the built-in aggregators that have one."""

SPARE = ("#0b5d57", "#4b2a8c", "#7ab317", "#ff9a8b", "#7fa8f0", "#7a0f3c", "#c8c000", "#00d0a0")
"""Colours of everybody else's, in the order in which reports list them."""

SOLID = "solid"

DASHES = ((0, (5, 1.8)), (0, (1.2, 1.4)), (0, (7, 1.5, 1.2, 1.5)), (0, (2.5, 1.2)))
"""Dashes of the variants of an aggregator, those with keywords: offset, then lengths in line widths."""

LONGEST = 30
"""Letters of a label; of a longer name the middle is left out."""


@dataclass(frozen=True)
class Style:
    """How an aggregator is drawn.

    Attributes:
        name: Its spec.
        label: The spec short enough for a figure.
        slug: The spec in letters, digits and hyphens, for ids and file names.
        colour: ``#rrggbb``.
        dash: Line style as matplotlib takes it.
    """

    name: str
    label: str
    slug: str
    colour: str
    dash: str | tuple[float, tuple[float, ...]]

    @property
    def svg_dash(self) -> str:
        """The dashes of a line 2 wide, as SVG's ``stroke-dasharray``."""
        if isinstance(self.dash, str):
            return "none"
        return " ".join(f"{2 * length:g}" for length in self.dash[1])

    def gid(self, part: str = "line") -> str:
        """Return the mark by which the page finds what belongs to the aggregator.

        Args:
            part: ``line``, or ``band`` for what the pointer should ignore.

        Returns:
            A group id for an artist, see `jdbench.report.figures.drawing.render`.
        """
        return f"agg:{self.slug}:{part}"


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return styles by spec: the leaderboard's first, in its order, then everybody else's by name."""
    listed = in_order(names)
    bases = list(dict.fromkeys(base for base in map(_base, listed) if base not in COLOURS))
    colours = COLOURS | {base: SPARE[i % len(SPARE)] for i, base in enumerate(bases)}
    variants: dict[str, list[str]] = {}
    for name in listed:
        if name != _base(name):
            variants.setdefault(_base(name), []).append(name)
    result: dict[str, Style] = {}
    for name in listed:
        base = _base(name)
        dash = SOLID if name == base else DASHES[variants[base].index(name) % len(DASHES)]
        result[name] = Style(name, label(name), slug(name), colours[base], dash)
    return result


def label(name: str) -> str:
    """Return a spec in at most `LONGEST` printable characters, for figures: ρ for ``trace_regularization``."""
    text = printable(name.replace("trace_regularization=", "ρ="))
    half = (LONGEST - 1) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def printable(text: str) -> str:
    """Return text that XML can hold: a replacement character stands for each that is not printable."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _base(name: str) -> str:
    return name.partition("(")[0]
