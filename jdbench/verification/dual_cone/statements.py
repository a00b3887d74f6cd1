"""What [JD] proves of the dual cone's program, each statement ready to judge the answer of any solver."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.dual_cone import Solution, solve
from jdbench.gramian import gramian
from jdbench.rounding import row_norms
from jdbench.shapes import WeightRows
from jdbench.verification.dual_cone import lemmas, primal
from jdbench.verification.dual_cone import residuals as allowed
from jdbench.verification.dual_cone.residuals import Residuals
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import Finding


@dataclass(frozen=True)
class Programs:
    """The programs (5) of a matrix.

    Attributes:
        matrix: The matrix, with the name of its class.
        U: Bounds, shape ``[m + 2, m]``: the m of UPGrad, then two of any sign.
    """

    matrix: Matrix
    U: WeightRows

    def solve(self, solver: str) -> Solution:
        """Return a solver's answer, `jdbench.dual_cone.solve`.

        Args:
            solver: A name out of `available_solvers`.
        """
        return solve(gramian(self.matrix.J), self.U, solver)


@st.composite
def programs(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix]) -> Programs:
    """Draw a matrix, and beside UPGrad's bounds eᵢ two of integers: as they are, and over the row's norm.

    The second are rounded to powers of two, and of the same size for every row, however small.

    Args:
        draw: Hypothesis'.
        matrices: Where the matrix comes from.

    Returns:
        The programs.
    """
    matrix = draw(matrices)
    m = len(matrix.J)
    entries = draw(st.lists(st.integers(-3, 3), min_size=2 * m, max_size=2 * m))
    drawn = torch.tensor(entries, dtype=torch.float64).reshape(2, m)
    norms = row_norms(matrix.J)
    drawn[1] /= 2.0 ** torch.where(norms > 0, norms, 1.0).log2().round()
    return Programs(matrix, torch.cat([torch.eye(m, dtype=torch.float64), drawn]))


def proposition_1_finding(programs: Programs, W: WeightRows, residuals: Residuals) -> Finding:
    """Return whether Jᵀw is the projection of Jᵀu that a solver finds in Rⁿ ([JD] eq. 3 and 5).

    Args:
        programs: The programs.
        W: A solver's weights, shape ``[m + 2, m]``.
        residuals: What may remain of them.

    Returns:
        The worst of the programs.
    """
    J, U = programs.matrix.J, programs.U
    projection = primal.project(J, U)
    limit = allowed.proposition_1_limits(J, residuals, projection.residuals)
    return _worst(lemmas.proposition_1_margins(J, U, W, projection.points), limit)


def lemma_4_finding(programs: Programs, W: WeightRows, residuals: Residuals) -> Finding:
    """Return whether u ≤ w, 0 ≤ Gw and uᵀGw = wᵀGw in unit rows ([JD] Lemma 4).

    Args:
        programs: The programs.
        W: A solver's weights, shape ``[m + 2, m]``.
        residuals: What may remain of them.

    Returns:
        The worst of the programs and conditions.
    """
    margins = torch.stack(lemmas.lemma_4_margins(programs.matrix.J, programs.U, W))
    return _worst(margins.flatten(), torch.stack(residuals[:3]).flatten())


def lemma_5_finding(programs: Programs, W: WeightRows, residuals: Residuals) -> Finding:
    """Return whether wᵀGw ≤ 1ᵀGw for the mean w of the first m weights ([JD] Lemma 5).

    Args:
        programs: The programs.
        W: A solver's weights, shape ``[m + 2, m]``.
        residuals: What may remain of them.

    Returns:
        The finding.
    """
    J = programs.matrix.J
    W = W[: len(J)]
    limit = allowed.lemma_5_limit(J, W, Residuals(*(r[: len(J)] for r in residuals)))
    return Finding(float(lemmas.lemma_5_margin(J, W.mean(-2))), float(limit))


def _worst(margins: Tensor, limits: Tensor) -> Finding:
    findings = [Finding(*pair) for pair in zip(margins.tolist(), limits.tolist(), strict=True)]
    violated = [finding for finding in findings if finding.violated]
    return min(violated or findings, key=lambda f: f.margin / f.tolerance if f.tolerance > 0 else f.margin)


Statement = Callable[[Programs, WeightRows, Residuals], Finding]

STATEMENTS: dict[str, Statement] = {
    "Proposition 1": proposition_1_finding,
    "Lemma 4": lemma_4_finding,
    "Lemma 5": lemma_5_finding,
}
"""By their names in the paper."""


def statement_findings(programs: Programs, solution: Solution, *, exact: bool) -> dict[str, Finding]:
    """Return what there is to say of a solution, statement by statement.

    Args:
        programs: The programs that were solved.
        solution: A solver's answer to them.
        exact: Whether to hold it against rounding, as a solver that ends at the right active set, or against
            the residuals that it reports.

    Returns:
        Findings by the names of `STATEMENTS`. Unless ``exact``, programs that failed, and say so by NaN, are
        left out, and Lemma 5 with any of UPGrad's.
    """
    J, W = programs.matrix.J, solution.weights
    if exact:
        residuals = allowed.exact(J, programs.U, W)
        return {name: statement(programs, W, residuals) for name, statement in STATEMENTS.items()}
    solved = ~W.isnan().any(-1)
    residuals = Residuals(*(r[solved] for r in allowed.reported(J, solution)))
    some = Programs(programs.matrix, programs.U[solved])
    names = [name for name in STATEMENTS if bool(solved[: len(J)].all() if name == "Lemma 5" else solved.any())]
    return {name: STATEMENTS[name](some, W[solved], residuals) for name in names}
