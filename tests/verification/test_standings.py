"""How verdicts stand to the claims of the definitions of their names, and what curves come to, by hand."""

import math

import pytest

from jdbench.report.verdicts.tables import sentences_on_curves, sentences_on_others, sentences_on_ours
from jdbench.verification.curves import Point
from jdbench.verification.properties import TABLE_1
from jdbench.verification.standings import (
    Standing,
    claimants,
    claimed,
    claimed_without_options,
    definition_of,
    departures,
    family,
    standing,
    tally_ours,
)
from jdbench.verification.summary import cosines, curve_summaries, worst_along, worst_of
from support.verdicts import verdict

NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1
VARIANT = "UPGrad(trace_regularization=0.0001)"


@pytest.mark.parametrize(
    ("spec", "name", "definition"),
    [
        ("UPGrad", "UPGrad", "UPGrad"),
        (VARIANT, "UPGrad", VARIANT),
        ("UPGrad(trace_regularization=0.5)", "UPGrad", "UPGrad"),
        ("torchjd.aggregation:UPGrad", "UPGrad", "UPGrad"),
        ("torchjd.aggregation:Random", "RGW", "RGW"),
        ("m:Other(c='a:b')", "Other", None),
    ],
)
def test_a_definition_is_found_by_the_name(spec: str, name: str, definition: str | None) -> None:
    assert family(spec) == name
    assert definition_of(spec) == definition


def test_claims_are_those_of_the_definition() -> None:
    assert claimed("UPGrad", LINEAR) is True
    assert claimed(VARIANT, LINEAR) is False
    assert claimed("m:Other", LINEAR) is None
    assert claimed("m:Other", "hygiene") is True
    assert claimed_without_options(VARIANT, LINEAR)
    assert not claimed_without_options("Mean", NON_CONFLICTING)
    assert claimants(LINEAR, ["m:UPGrad", "Mean", "MGDA", "m:Other"]) == ["Mean", "UPGrad"]


@pytest.mark.parametrize(
    ("spec", "outcome", "expected"),
    [
        ("UPGrad", "survived", Standing.KEPT),
        ("UPGrad", "refuted", Standing.BROKEN_CLAIM),
        ("UPGrad", "broken", Standing.BROKEN_CLAIM),
        ("Mean", "refuted", Standing.LACKED),
        ("Mean", "survived", Standing.UNSHOWN),
        ("m:Other", "refuted", Standing.UNCLAIMED),
    ],
)
def test_a_verdict_stands_to_its_claim(spec: str, outcome: str, expected: Standing) -> None:
    assert standing(verdict(spec, NON_CONFLICTING, outcome)) is expected


VERDICTS = [
    verdict("UPGrad", NON_CONFLICTING, "survived"),
    verdict("UPGrad", LINEAR, "refuted"),
    verdict("Mean", NON_CONFLICTING, "refuted"),
    verdict("Mean", "hygiene", "survived"),
    verdict("m:UPGrad", NON_CONFLICTING, "refuted", margin=-0.5),
    verdict("m:UPGrad", LINEAR, "broken", margin=math.nan, message="raises: no"),
    verdict("m:Mean", NON_CONFLICTING, "survived"),
    verdict("m:Other", WEIGHTED, "refuted"),
    verdict("m:MGDA", NON_CONFLICTING, "survived"),
]


def test_ours_are_counted_against_the_claims() -> None:
    counted = {tally.of: (tally.agreeing, tally.total) for tally in tally_ours(VERDICTS)}
    assert counted == {"claimed to hold": (1, 2), "claimed to fail": (1, 1), "hygiene": (1, 1)}
    assert [one.text for one in sentences_on_ours(VERDICTS)] == [
        "1 of 2 verdicts survive where the property is claimed; the others: UPGrad linear-under-scaling "
        "float64.",
        "1 of 1 verdicts are refutations, found by the search alone, where the property is claimed to fail.",
        "1 of 1 survive.",
    ]
    assert tally_ours(VERDICTS[4:]) == []


def test_others_depart_from_the_definitions_of_their_names() -> None:
    found = {one.aggregator: one for one in departures(VERDICTS)}
    assert list(found) == ["m:MGDA", "m:Mean", "m:Other", "m:UPGrad"]
    assert [one.prop for one in found["m:UPGrad"].refuted] == [NON_CONFLICTING]
    assert [one.prop for one in found["m:UPGrad"].broken] == [LINEAR]
    said = {one.subject: one.text for one in sentences_on_others(VERDICTS)}
    assert said == {
        "m:MGDA": "Every verdict is that of the definition of its name.",
        "m:Mean": "No violation found though [JD]'s Mean lacks it: non-conflicting (float64).",
        "m:Other": "No definition of [JD] bears its name; refuted: weighted (margin -0.25 in float64).",
        "m:UPGrad": "Refuted though [JD]'s UPGrad has it: non-conflicting (margin -0.5 in float64); broken in "
        "linear-under-scaling (float64) (raises: no).",
    }


def point(x: float, margin: float, violations: int, **changed: object) -> Point:
    fields = {"aggregator": "UPGrad", "prop": NON_CONFLICTING, "dtype": "float64", "axis": "decades", "x": x}
    seen = {"margin": margin, "tolerance": 1e-3, "violations": violations, "matrices": 30, "index": 0}
    return Point(**{**fields, **seen, "cosine": x, **changed})


CURVES = [
    point(0, 0.1, 0),
    point(1, -0.2, 3),
    point(2, -0.5, 5),
    point(3, -0.4, 7),
    point(0, -0.9, 30, dtype="float32"),
    point(1, -0.3, 2, axis="rank", dtype="float32"),
    point(0, 0.0, 0, prop=LINEAR),
    point(0, -0.9, 30, aggregator="Mean"),
    point(0, 0.0, 0, aggregator="Mean", prop=WEIGHTED),
]


def test_the_worst_of_a_curve_is_the_smallest_margin_and_nan_is_smaller() -> None:
    worst = worst_of(CURVES[:4])
    assert (worst.point.x, worst.violations, worst.matrices, worst.first) == (2, 15, 120, 1)
    assert worst_of([*CURVES[:4], point(5, math.nan, 1)]).point.x == 5
    assert worst_of(CURVES[:1]).first is None


def test_curves_are_summed_up_by_what_the_definition_has() -> None:
    ours, mean = curve_summaries(CURVES)
    assert list(ours.lost) == [NON_CONFLICTING]
    assert list(ours.kept) == [LINEAR, WEIGHTED]
    assert ours.checks == 30
    # Float64 goes first; float32 counts where there alone is a violation.
    assert {axis: worst.point.dtype for axis, worst in ours.lost[NON_CONFLICTING].items()} == {
        "decades": "float64",
        "rank": "float32",
    }
    assert (mean.lost, list(mean.kept)) == ({}, [LINEAR, WEIGHTED])
    assert sentences_on_curves(CURVES)[0].text == (
        "non-conflicting lost along decades from 1 on (worst -0.5), rank from 1 on (worst -0.3, float32 "
        "alone); linear-under-scaling, weighted within the derived tolerance in all 30 checks."
    )


def test_the_table_of_curves_has_a_cell_a_column() -> None:
    rows = worst_along(CURVES, [("decades", "float64"), ("rank", "float64")])
    assert [(spec, prop) for spec, prop, _ in rows] == [
        ("UPGrad", NON_CONFLICTING),
        ("UPGrad", LINEAR),
        ("Mean", WEIGHTED),
    ]
    worst, none = rows[0][2]
    assert worst is not None
    assert worst.point.margin == -0.5
    assert none is None
    assert cosines(CURVES, "decades") == ([0, 1, 2, 3], [("UPGrad", [0, 1, 2, 3])])
