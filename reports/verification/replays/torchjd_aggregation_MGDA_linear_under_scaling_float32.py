"""torchjd.aggregation:MGDA is not linear-under-scaling: c ↦ A(diag(c)·J) is linear for c > 0 ([JD] Definition 2); for the same draws, if it is random

confirmed in rational arithmetic, margin -0.0877; [JD]'s MGDA violates it here too, 0.35 ulps away
"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64), kind='any shape'), seed=0, scalings=(torch.tensor([2.0, 1.0], dtype=torch.float64), torch.tensor([2.0, 3.0], dtype=torch.float64), ))
call = Call(resolve('torchjd.aggregation:MGDA').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['linear-under-scaling'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
