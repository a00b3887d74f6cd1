"""What an aggregator can be claimed to be: each property with its margin and where violations are searched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification import predicates, tolerances
from jdbench.verification.calls import Call
from jdbench.verification.hygiene import hygienic
from jdbench.verification.verdicts import Finding
from jdbench.verification.witnesses import (
    Witness,
    anyhow,
    anywhere,
    one_row_witnesses,
    permuted,
    rescaled,
    rotated,
    shifted,
    strongly_stationary_witnesses,
    weakly_stationary_witnesses,
    with_scalings,
)

DRAWS = (64, 256)
"""Sizes of the samples that are compared where a property holds in law: more only if few tell no difference."""


class WitnessCheck(Protocol):
    """The finding for one witness."""

    def __call__(self, call: Call, witness: Witness) -> Finding:
        """Return the finding."""
        ...


@dataclass(frozen=True)
class Property:
    """A property that holds for all matrices of its domain, or fails for one.

    Attributes:
        name: As claims name it.
        statement: What holds, in one sentence with its source.
        witnesses: Where violations are searched, by dtype: a strategy for each class of matrices.
        check: The finding for one witness.

    Example:
        >>> from jdbench.verification import PROPERTIES
        >>> PROPERTIES["weighted"].statement
        'A(J) = Jᵀw for some w ([JD] Definition 3)'
    """

    name: str
    statement: str
    witnesses: Callable[[torch.dtype], Mapping[str, st.SearchStrategy[Witness]]]
    check: WitnessCheck

    @property
    def everywhere(self) -> bool:
        """Whether the property is claimed of every matrix."""
        return self.witnesses in (anywhere, anyhow, with_scalings)


def _non_conflicting(call: Call, witness: Witness) -> Finding:
    J = witness.J
    a = call(J, witness.seed)
    margin = float(predicates.non_conflicting(J, a))
    return Finding(margin, tolerances.direction(J, a, call.dtype))


def _linear_under_scaling(call: Call, witness: Witness) -> Finding:
    c1, c2 = (c.unsqueeze(-1) for c in witness.scalings)
    scaled = [c1 * witness.J, c2 * witness.J, (c1 + c2) * witness.J]
    first, second, both = (call(matrix, witness.seed) for matrix in scaled)
    margin = float(predicates.linear_under_scaling(first, second, both, scaled[-1]))
    pairs = zip(scaled, (first, second, both), strict=True)
    return Finding(margin, sum(tolerances.direction(matrix, a, call.dtype) for matrix, a in pairs))


def _weighted(call: Call, witness: Witness) -> Finding:
    J = witness.J
    a = call(J, witness.seed)
    return Finding(float(predicates.weighted(J, a)), tolerances.span(J, a, call.dtype))


def _permutation_invariant(call: Call, witness: Witness) -> Finding:
    """Compare A(PJ) with A(J) for the same draws, and in law where those differ: it may draw."""
    finding = _equivariant(call, witness)
    if not finding.violated:
        return finding
    samples: tuple[list[Tensor], list[Tensor]] = ([], [])
    law = finding
    for draws in DRAWS:
        for sample, matrix, start in zip(samples, (witness.J, witness.other), (0, DRAWS[-1]), strict=True):
            sample += [call(matrix, start + seed) for seed in range(len(sample), draws)]
        first, second = (torch.stack(sample) for sample in samples)
        if bool((first == first[0]).all() and (second == second[0]).all()):
            return finding  # nothing is drawn
        error = finding.tolerance * max(float(first.norm(dim=-1).max()), float(second.norm(dim=-1).max()))
        margin = float(predicates.equal_in_law(first, second, error))
        law = Finding(margin, tolerances.distribution_distance(draws, witness.J.shape[1], len(DRAWS)))
        if law.violated:
            break
    return law


def _equivariant(call: Call, witness: Witness) -> Finding:
    """Compare A of the other matrix with what the action makes of A(J)."""
    J, other = witness.J, witness.other
    a = call(J, witness.seed)
    expected = a if witness.action is None else a @ witness.action
    second = call(other, witness.seed)
    margin = float(predicates.equal(second, expected))
    return Finding(margin, tolerances.regular(J, a, other, second, call.dtype))


def _scale_invariant(call: Call, witness: Witness) -> Finding:
    """Compare A of the other matrix with A(J) itself."""
    return _equivariant(call, replace(witness, action=None))


def _identity_for_one_row(call: Call, witness: Witness) -> Finding:
    J = witness.J
    margin = float(predicates.equal(call(J, witness.seed), J[0]))
    return Finding(margin, tolerances.one_row(J, call.dtype))


def _zero_only_if_weakly_stationary(call: Call, witness: Witness) -> Finding:
    J = witness.J
    margin = predicates.zero_only_if_weakly_stationary(J, call(J, witness.seed))
    return Finding(margin, tolerances.stationarity(J))


def _zero(call: Call, witness: Witness) -> Finding:
    J = witness.J
    return Finding(float(predicates.zero(J, call(J, witness.seed))), tolerances.vanishing(J, call.dtype))


def _continuous(call: Call, witness: Witness) -> Finding:
    J, other = witness.J, witness.other
    first, second = call(J, witness.seed), call(other, witness.seed)
    margin = float(predicates.continuous(J, other, first, second))
    return Finding(margin, tolerances.modulus(J, first, call.dtype, float(predicates.shift(J, other))))


TABLE_1 = ("non-conflicting", "linear-under-scaling", "weighted")
"""The properties of [JD] Table 1, verified by default."""

HYGIENE = "hygiene"
"""The property that every aggregator must have, always verified."""

PROPERTIES = {
    p.name: p
    for p in (
        Property("non-conflicting", "0 ≤ J·A(J) for every J ([JD] Definition 1)", anywhere, _non_conflicting),
        Property(
            "linear-under-scaling",
            "c ↦ A(diag(c)·J) is linear for c > 0 ([JD] Definition 2); for the same draws, if it is random",
            with_scalings,
            _linear_under_scaling,
        ),
        Property("weighted", "A(J) = Jᵀw for some w ([JD] Definition 3)", anywhere, _weighted),
        Property(
            "permutation-invariant",
            "A(PJ) = A(J) for every permutation P of the rows of a regular J; in law, if it is random",
            permuted,
            _permutation_invariant,
        ),
        Property(
            "rotation-equivariant",
            "A(JQ) = A(J)Q for every orthogonal Q and regular J: the coordinates do not matter",
            rotated,
            _equivariant,
        ),
        Property(
            "homogeneous", "A(cJ) = c·A(J) for every c > 0 and regular J (degree 1)", rescaled, _equivariant
        ),
        Property(
            "scale-invariant",
            "A(cJ) = A(J) for every c > 0 and regular J (degree 0)",
            rescaled,
            _scale_invariant,
        ),
        Property("identity-for-one-row", "A(g) = g for a single row", one_row_witnesses, _identity_for_one_row),
        Property(
            "zero-only-if-weakly-stationary",
            "A(J) = 0 only if Jᵀw = 0 for some w ≥ 0, w ≠ 0: a descent stops nowhere else",
            anywhere,
            _zero_only_if_weakly_stationary,
        ),
        Property(
            "zero-if-weakly-stationary",
            "A(J) = 0 if Jᵀw = 0 for some w ≥ 0, w ≠ 0: no direction improves all objectives",
            weakly_stationary_witnesses,
            _zero,
        ),
        Property(
            "zero-if-strongly-stationary",
            "A(J) = 0 if Jᵀw = 0 for some w > 0: no direction improves one objective and harms none",
            strongly_stationary_witnesses,
            _zero,
        ),
        Property(
            "continuous",
            "A is continuous at regular J: a small relative shift of the rows moves A(J) in proportion",
            shifted,
            _continuous,
        ),
        Property(
            HYGIENE,
            "a finite direction of the right shape, dtype and device, in memory of its own, from a J that is "
            "only read, in whatever strides; the same for the same J and generator state, whatever was called "
            "before; nothing that all share left changed; of a batch the same as of its members, if it takes "
            "batches",
            anyhow,
            hygienic,
        ),
    )
}
