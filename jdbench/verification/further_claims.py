"""Which aggregator has which property beyond Table 1 of [JD]: each claim with its reason, each "no" shown."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from jdbench.verification.strategies import Matrix
from jdbench.verification.witnesses import Witness


@dataclass(frozen=True)
class Refutation:
    """Why an aggregator lacks a property, with a violation.

    Attributes:
        reason: In a few words.
        counterexample: A fixed violation, in both dtypes.
        unsearchable: Why a random search does not come upon a violation; empty if it does.
    """

    reason: str
    counterexample: Witness
    unsearchable: str = ""


@dataclass(frozen=True)
class Row:
    """One property over all aggregators.

    Attributes:
        prop: Its name.
        holds: Why it holds, by aggregator, with "" for all that are named nowhere.
        fails: Why it does not, by aggregator; "" for all that are named nowhere.
    """

    prop: str
    holds: Mapping[str, str]
    fails: Mapping[str, Refutation]


def _witness(
    rows: list[list[float]], other: list[list[float]] | None = None, action: list[list[float]] | None = None
) -> Witness:
    return Witness(
        Matrix(torch.tensor(rows, dtype=torch.float64), "fixed"),
        other_matrix=None if other is None else torch.tensor(other, dtype=torch.float64),
        action=None if action is None else torch.tensor(action, dtype=torch.float64),
    )


def _jump_of_graddrop() -> Witness:
    """Return a first column whose P is the first draw of seed 0 rounded down to 20 bits, and one rounded up."""
    draws = torch.rand(2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one = 2.0**20
    below = float(draws[0] * one // 1)
    return _witness([[below, one], [below - one, one]], [[below + 1, one], [below + 1 - one, one]])


DOUBLED = _witness([[1.0]], [[2.0]], [[2.0]])
WEAKLY = _witness([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
STRONGLY = _witness([[1.0], [-64.0]])
NO_SUM = [[2.0, 2.0, 1.0], [2.0, -2.0, 1.0], [1.0, 0.0, 0.0]]
"""Regular, norms 3, 3, 1, and Ĝ⁻¹1 = (3/2, 3/2, -1): 1ᵀv = 1/2 + 1/2 - 1 = 0 in [JD] eq. 37."""

FURTHER = (
    Row(
        "permutation-invariant",
        {
            "": "the definition names no row, and its optimum is unique",
            "PCGrad": "in law: each order is as likely",
            "RGW": "in law: the weights are exchangeable",
            "GradDrop": "sums of the positive and of the negative entries",
        },
        {},
    ),
    Row(
        "rotation-equivariant",
        {"": "A(J) = Jᵀw(JJᵀ), and JQ has the Gramian of J"},
        {
            "GradDrop": Refutation(
                "chooses coordinate by coordinate: signs that agree need not after a rotation",
                _witness([[5, 0], [0, 5]], [[3, 4], [-4, 3]], [[0.6, 0.8], [-0.8, 0.6]]),
            )
        },
    ),
    Row(
        "homogeneous",
        {"": "every step of the definition is of degree 1", "GradDrop": "P has degree 0, for the same draws"},
        {"NashMTL": Refutation("the length is ε whatever J: degree 0", DOUBLED)},
    ),
    Row(
        "scale-invariant",
        {"NashMTL": "the ball of (41) has radius ε, and Σ log gᵢᵀd only gains a constant"},
        {"": Refutation("degree 1", DOUBLED)},
    ),
    Row(
        "identity-for-one-row",
        {"": "the only weight is 1"},
        {
            "CAGrad": Refutation("the best point of the ball around g is (1 + c)g", _witness([[1.0]])),
            "NashMTL": Refutation("εg/‖g‖", _witness([[2.0]])),
        },
    ),
    Row(
        "zero-only-if-weakly-stationary",
        {
            "": "Jᵀw = 0 with w ≥ 0, w ≠ 0: its weights are such",
            "GradDrop": "a coordinate vanishes only if its column does",
            "CAGrad": "‖A(J) - ḡ‖ ≤ c‖ḡ‖ with c < 1: only if ḡ = 0",
            "AlignedMTL": "UVᵀ1 = 0 only if Jᵀ1 = 0",
        },
        {
            "IMTLG": Refutation(
                "0 where 1ᵀv = 0 leaves (37) undefined, and w may be negative at full rank",
                _witness(NO_SUM),
                "1ᵀv must be 0 within rounding, which few integer rows bring about",
            )
        },
    ),
    Row(
        "zero-if-weakly-stationary",
        {
            "MGDA": "0 is in the convex hull of the rows",
            "NashMTL": "no d has Jd > 0: the definition is empty there, and we return 0",
        },
        {"": Refutation("the third row conflicts with nothing and is followed", WEAKLY)},
    ),
    Row(
        "zero-if-strongly-stationary",
        {
            "MGDA": "0 is in the convex hull of the rows",
            "NashMTL": "no d has Jd > 0: the definition is empty there, and we return 0",
            "UPGrad": "the dual cone is orthogonal to all rows",
            "DualProj": "the dual cone is orthogonal to all rows",
        },
        {
            "": Refutation("the longer of two opposed rows wins", STRONGLY),
            "PCGrad": Refutation(
                "three rows in balance: projected off one by one, no row vanishes",
                _witness([[-2.0, -2.0], [0.0, 1.0], [2.0, 1.0]]),
            ),
            "UPGrad(trace_regularization=0.0001)": Refutation("the regularised cone is open", STRONGLY),
            "DualProj(trace_regularization=0.0001)": Refutation("the regularised cone is open", STRONGLY),
        },
    ),
    Row(
        "continuous",
        {
            "": "the optimum is unique and moves with the Gramian; a linear map at full rank",
            "PCGrad": "each projection is continuous where no row is 0, for the same draws",
            "RGW": "a linear map, for the same draws",
            "Mean": "a linear map",
        },
        {
            "GradDrop": Refutation(
                "jumps where P passes the draw, for the same draws",
                _jump_of_graddrop(),
                "P must pass a given real number within the shift of one entry by 2⁻²⁶",
            ),
            "IMTLG": Refutation(
                "1ᵀv passes through 0, even at full rank",
                _witness(NO_SUM, [[2.0, 2.0, 1.0], [2.0, -2.0, 1.0], [1.0 + 2.0**-20, 0.0, 0.0]]),
                "1ᵀv must pass 0 within the shift of one entry by 2⁻²⁶",
            ),
        },
    ),
)
"""A property that fails for all but the named has its refutation under ""."""
