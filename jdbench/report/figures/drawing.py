"""Figures as SVG that is the same on every run and can be embedded beside others in one page."""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from jdbench.report.figures.palette import printable

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

SETTINGS: dict[Any, object] = {
    "svg.hashsalt": "jdbench",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#666666",
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
}
"""Departures from matplotlib's defaults; whatever the user's own file says is set aside."""

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: Stem of its file, and prefix of the ids within.
        description: What it shows, in one sentence, for those who do not see it.
        width: Natural width in points.
        svg: The element ``<svg>``.
    """

    name: str
    description: str
    width: float
    svg: str

    @property
    def inline(self) -> Markup:
        """The element, marked as markup that matplotlib has escaped."""
        return Markup(self.svg)

    @property
    def file(self) -> str:
        """The content of its file."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'


def render(name: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Picture:
    """Paint a figure and return it as SVG.

    Every id gets the figure's name as prefix. A group with the id ``agg:slug:part`` gets the classes
    ``agg``, ``agg-slug`` and ``part`` instead, by which the page shows, hides and stresses an aggregator.

    Args:
        name: Letters, digits and hyphens, unique in the page.
        description: What it shows.
        size: Width and height in inches.
        paint: Draws on the empty figure.

    Returns:
        The drawing.
    """
    buffer = io.StringIO()
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        # Text stays text: it is the reader's browser that has to have the letters of a name, not our font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        canvas = FigureCanvasSVG(figure)
        paint(figure)
        # Figure.savefig would draw everything twice, to the same result.
        canvas.print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return Picture(name, description, 72 * size[0], _embeddable(buffer.getvalue(), name, description))


def plain(text: str) -> str:
    """Return text with its dollar signs escaped, which matplotlib then draws as they are."""
    return text.replace("$", r"\$")


def _embeddable(text: str, name: str, description: str) -> str:
    root = ElementTree.fromstring(text)
    root.set("role", "img")
    root.set("aria-label", printable(description))
    for element in root.iter():
        identity = element.get("id")
        if identity is not None and identity.startswith("agg:"):
            _, slug, part = identity.split(":")
            del element.attrib["id"]
            element.set("class", f"agg agg-{slug} {part}")
        elif identity is not None:
            element.set("id", f"{name}-{identity}")
        for attribute, value in element.attrib.items():
            if value.startswith("#") and attribute in {"href", f"{{{XLINK}}}href"}:
                element.set(attribute, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(attribute, value.replace("url(#", f"url(#{name}-"))
        path = element.get("d")
        if path is not None:
            element.set("d", _shortened(path))
    return ElementTree.tostring(root, encoding="unicode")


def _shortened(path: str) -> str:
    """Return a path with two decimals: a hundredth of a point is no pixel, and it is half the page."""

    def shorten(number: re.Match[str]) -> str:
        return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")

    return " ".join(re.sub(r"-?\d+\.\d+(?![\de])", shorten, path).split())
