"""torchjd.aggregation:GradDrop is not non-conflicting: 0 ≤ J·A(J) for every J ([JD] Definition 1)

confirmed in rational arithmetic, margin -1; no exact definition bears its name
"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[1.0], [-1.0]], dtype=torch.float64), kind='any shape'), seed=0)
call = Call(resolve('torchjd.aggregation:GradDrop').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['non-conflicting'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
