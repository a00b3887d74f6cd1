"""A found violation as a script of a few lines that runs alone, and as JSON."""

from typing import Any

from jdbench.verification.properties import Witness
from jdbench.verification.verify import Outcome, Verdict

TEMPLATE = '''"""{spec} is not {property}: {statement}"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES, Witness
from jdbench.verification.strategies import Matrix

J = torch.tensor({rows}, dtype=torch.float64)  # {kind}
scalings = [torch.tensor(c, dtype=torch.float64) for c in {scalings}]
witness = Witness(Matrix(J, {kind!r}), {seed}, tuple(scalings))
call = Call(resolve({spec!r}).aggregator, {dtype})
print("J =", J.tolist(), " A(J) =", call(J, {seed}).tolist())
finding = PROPERTIES[{property!r}].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
'''


def replay_script(spec: str, verdict: Verdict, statement: str) -> str:
    """Return a script that shows a refutation; it exits 0 if the violation is there.

    Args:
        spec: The aggregator.
        verdict: A refutation of it.
        statement: What the property says.

    Returns:
        Python source.
    """
    return TEMPLATE.format(
        spec=spec,
        property=verdict.property,
        statement=statement,
        rows=verdict.witness.matrix.J.tolist(),
        kind=verdict.witness.matrix.kind,
        scalings=[c.tolist() for c in verdict.witness.scalings],
        seed=verdict.witness.seed,
        dtype=str(verdict.dtype),
    )


def as_json(spec: str, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values.

    Args:
        spec: The aggregator.
        verdict: Its verdict.

    Returns:
        Values that JSON can hold; the margin is None where no call came back.
    """
    broken = verdict.outcome is Outcome.BROKEN
    return {
        "aggregator": spec,
        "property": verdict.property,
        "dtype": str(verdict.dtype).removeprefix("torch."),
        "outcome": str(verdict.outcome),
        "examples": verdict.examples,
        "margin": None if broken else verdict.margin,
        "tolerance": None if broken else verdict.tolerance,
        "message": verdict.message,
        "witness": _witness(verdict.witness),
    }


def _witness(witness: Witness) -> dict[str, Any]:
    return {
        "kind": witness.matrix.kind,
        "J": witness.matrix.J.tolist(),
        "seed": witness.seed,
        "scalings": [c.tolist() for c in witness.scalings],
    }
