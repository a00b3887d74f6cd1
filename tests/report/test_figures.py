"""What figures are made of: bands, styles, and sets, paths and ends in a panel."""

import re

import numpy as np

from jdbench.analysis.curves import mean_band, median_band
from jdbench.report.figures import palette
from jdbench.report.figures.paths import Path, ends_svg, optimum_svg, paths_svg
from jdbench.report.figures.svg_panels import SIDE, Frame
from jdbench.spec import slug
from support.report_stores import AGGREGATORS

UNIT = Frame(((0.0, 1.0), (0.0, 1.0)))


def test_variant_shares_the_colour_and_is_dashed() -> None:
    looks = palette.styles(AGGREGATORS)
    definition, variant = looks["UPGrad"], looks["UPGrad(trace_regularization=0.0001)"]
    assert definition.colour == variant.colour
    assert definition.dash == palette.SOLID != variant.dash
    assert variant.label == "UPGrad(ρ=0.0001)"


def test_mean_band_is_the_standard_error_of_the_paper() -> None:
    values = np.array([[1.0, 2.0, 4.0], [1.0, 3.0, 5.0], [1.0, 7.0, 9.0]])
    steps = np.arange(3.0)
    band = mean_band([{"s": steps, "v": row} for row in values], "s", "v")
    assert band is not None
    np.testing.assert_allclose(band.middle, values.mean(0))
    np.testing.assert_allclose(band.high - band.middle, values.std(0, ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(band.low + band.high, 2 * band.middle)


def test_bands_use_the_steps_that_all_runs_share_and_are_finite_at() -> None:
    runs = [
        {"s": np.array([0.0, 1, 2, 3]), "v": np.array([2.0, 1, np.nan, 4])},
        {"s": np.array([0.0, 2, 3]), "v": np.array([4.0, 1, 8])},
        {"s": np.array([0.0]), "v": np.array([0.0])},
    ]
    band = median_band(runs[:2], "s", "v")
    assert band is not None
    np.testing.assert_allclose(band.steps, [0, 3])
    np.testing.assert_allclose(band.middle, [1, 2])
    assert median_band(runs[2:], "s", "v") is None
    assert mean_band([], "s", "v") is None


def test_slugs_differ_for_different_names() -> None:
    names = ["a:B", "a-B", "a.B", "a:B(c=1)", "a:B(c=-1)", "日本", "本日", "::", *AGGREGATORS]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", slug) for slug in slugs)


def test_points_lie_where_the_limits_put_them() -> None:
    frame = Frame(((-1.0, 3.0), (10.0, 20.0)))
    corners = np.array([[-1.0, 10.0], [3.0, 20.0], [1.0, 15.0]])
    np.testing.assert_allclose(frame.place(corners), [[0, SIDE], [SIDE, 0], [SIDE / 2, SIDE / 2]])


def test_sets_are_a_star_a_line_with_gaps_or_dots() -> None:
    line = np.stack([np.linspace(0, 1, 100), np.linspace(1, 0, 100)], -1)
    assert "★" in optimum_svg(np.full((50, 2), 0.5), UNIT)
    assert optimum_svg(line, UNIT).count("M") == 1
    assert optimum_svg(np.concatenate([line[:30], line[60:]]), UNIT).count("M") == 2
    spread = np.random.default_rng(1).random((100, 2))
    assert optimum_svg(spread, UNIT).count("M") == 100
    assert not optimum_svg(np.zeros((0, 2)), UNIT)


def test_ends_outside_a_panel_are_counted() -> None:
    svg = ends_svg(np.array([[0.5, 0.5], [2.0, 0.5], [0.5, -9.0]]), UNIT)
    assert svg.count("<circle") == 1
    assert "2 ended outside" in svg


def test_paths_are_cut_where_they_stop_being_finite() -> None:
    x = np.array([[0.1, 0.1], [0.9, 0.9], [np.nan, 0.0], [1e300, 0.0]])
    svg = paths_svg([Path(np.arange(4.0), x)], UNIT, 3.0)
    assert "nan" not in svg
    numbers = [abs(float(n)) for path in re.findall(r'd="([^"]+)"', svg) for n in re.findall(r"-?[\d.]+", path)]
    assert max(numbers) <= 101 * SIDE
