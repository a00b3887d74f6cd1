"""Templates to pages: each with the style and the script that all share."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jdbench.analysis.results import Results
from jdbench.report.figures.palette import Style
from jdbench.report.tables.upgrad_variants import upgrad_pair

HERE = Path(__file__).parent


def fill(
    template: str, results: Results, looks: dict[str, Style], *, compact: bool = False, **content: object
) -> str:
    """Return a page.

    Args:
        template: Its file.
        results: What was read.
        looks: Styles of all aggregators.
        compact: Whether the report has no pages of families and problems, so that nothing leads there.
        **content: What else the template names.

    Returns:
        HTML that refers to nothing outside the report's folder.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Seen by macros that are imported without the context too.
    environment.globals.update(dict[str, Any](compact=compact))
    return environment.get_template(template).render(
        results=results,
        families=results.families,
        pages={entry.spec: entry.page for entry in results.problems},
        looks=list(looks.values()),
        verdicts=results.verdicts,
        pair=upgrad_pair,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        **content,
    )
