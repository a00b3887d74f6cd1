"""What is claimed of our aggregators: Table 1 of the paper, and one row each for all the rest."""

import torch

from jdbench.roster import CLAIMED
from jdbench.verification import claims
from jdbench.verification import claims as claims_module
from jdbench.verification.claims import CLAIMS, WITH_CLAIMS, table_1
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1


def test_table_1_is_the_papers_cell_by_cell() -> None:
    """[JD] Table 1: non-conflicting, linear under scaling, weighted."""
    paper = {
        "Mean": (False, True, True),
        "MGDA": (True, False, True),
        "DualProj": (True, False, True),
        "PCGrad": (False, True, True),
        "GradDrop": (False, False, False),
        "IMTLG": (False, False, True),
        "CAGrad": (False, False, True),
        "RGW": (False, True, True),
        "NashMTL": (True, False, True),
        "AlignedMTL": (False, False, True),
        "UPGrad": (True, True, True),
    }
    ours = table_1()
    assert {name: ours[name] for name in paper} == paper
    assert list(ours) == [name for name in CLAIMED if name in WITH_CLAIMS]
    claimed = {(claim.aggregator, claim.prop) for claim in CLAIMS}
    assert claimed == {(name, prop) for name in ours for prop in PROPERTIES if prop != HYGIENE}


def test_rows_are_those_of_the_roster() -> None:
    assert set(WITH_CLAIMS) == set(claims.ROWS) <= set(CLAIMED)


def test_rows_name_properties_and_say_why() -> None:
    assert list(claims.USUAL) == [name for name in PROPERTIES if name not in (*TABLE_1, HYGIENE)]
    for name, row in claims.ROWS.items():
        assert set(TABLE_1) <= set(row) <= set(PROPERTIES), name
        for prop, cell in row.items():
            assert cell != claims.USUAL.get(prop), f"{name}: {prop} is the usual, which a row need not say"
    assert all(claim.source for claim in CLAIMS)


def test_counterexamples_are_exact_in_float32_where_their_search_is() -> None:
    for claim in CLAIMS:
        if claim.counterexample is not None:
            J = claim.counterexample.J
            assert torch.isfinite(J).all()
            assert J.ndim == 2


def test_a_row_is_all_that_a_new_aggregator_takes() -> None:
    row = {**claims.ROWS["Mean"], "continuous": "said elsewhere"}
    made = [claims_module.claim_of("New", row, prop) for prop in (*TABLE_1, *claims.USUAL)]
    assert {one.prop for one in made} == set(PROPERTIES) - {HYGIENE}
    assert {one.aggregator for one in made} == {"New"}
    assert [one.prop for one in made if not one.holds] == [
        "non-conflicting",
        "scale-invariant",
        "zero-if-weakly-stationary",
        "zero-if-strongly-stationary",
    ]
    assert next(one.source for one in made if one.prop == "continuous") == "said elsewhere"
