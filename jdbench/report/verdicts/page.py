"""A folder of verdicts and curves to one page that needs no network, beside its figures as SVG."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jdbench.errors import InputError
from jdbench.report.figures.drawing import Picture
from jdbench.report.figures.palette import label
from jdbench.report.verdicts.figures import violation_figure
from jdbench.report.verdicts.tables import (
    matrix,
    refutations,
    sentences_on_curves,
    sentences_on_others,
    sentences_on_ours,
    worst_table,
)
from jdbench.verification.axes import AXES
from jdbench.verification.folder import Verification, read_folder
from jdbench.verification.properties import PROPERTIES, TABLE_1
from jdbench.verification.standings import bears_module
from jdbench.verification.summary import cosines

TEMPLATES = Path(__file__).parent.parent / "pages"

NON_CONFLICTING, LINEAR, _ = TABLE_1

FIGURES = {
    "decades": ((NON_CONFLICTING, "float64"), (NON_CONFLICTING, "float32"), (LINEAR, "float64")),
    "condition": ((NON_CONFLICTING, "float64"), (LINEAR, "float64")),
    "rank": ((NON_CONFLICTING, "float64"),),
    "batch": ((NON_CONFLICTING, "float64"),),
    "subset": ((NON_CONFLICTING, "float64"), (LINEAR, "float64")),
}
"""What is drawn along each axis, a figure each; the table of curves has everything."""

COLUMNS = [(name, str(dtype).removeprefix("torch.")) for name, axis in AXES.items() for dtype in axis.points]


def write_verdict_page(folder: Path) -> Path:
    """Write the page of the verdicts in a folder.

    Args:
        folder: As `jdbench verify --report` left it; its ``index.html`` and figures are replaced.

    Returns:
        The page, ``folder/index.html``.

    Raises:
        InputError: The folder does not hold what it should, or cannot be written to.
    """
    verification = read_folder(folder)
    figures = _figures(verification)
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["label"] = label
    curves = verification.curves
    html = environment.get_template("verdicts.html").render(
        verification=verification,
        statements={name: PROPERTIES[name].statement for name in verification.properties},
        matrix=matrix(verification),
        refutations=refutations(verification),
        own=sentences_on_ours(verification.verdicts),
        others=sentences_on_others(verification.verdicts),
        along=sentences_on_curves(curves),
        axes=AXES,
        columns=COLUMNS,
        worst=worst_table(curves, COLUMNS),
        batch=cosines(curves, "batch"),
        subset=cosines(curves, "subset"),
        figures=figures,
        bears_module=bears_module,
        peers=any(spec.startswith("torchjd.") for spec in verification.aggregators),
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        more=Markup((TEMPLATES / "verdicts.css").read_text(encoding="utf-8")),
    )
    try:
        for drawing in (one for some in figures.values() for one in some):
            (folder / f"{drawing.name}.svg").write_text(drawing.file, encoding="utf-8", newline="\n")
        (folder / "index.html").write_text(html, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"report={folder}, required a folder that can be written to, got {error}, choose another"
        ) from error
    return folder / "index.html"


def _figures(verification: Verification) -> dict[str, list[Picture]]:
    return {
        axis: [
            drawing
            for prop, dtype in wanted
            if (drawing := violation_figure(verification.curves, prop, axis, dtype)) is not None
        ]
        for axis, wanted in FIGURES.items()
    }
