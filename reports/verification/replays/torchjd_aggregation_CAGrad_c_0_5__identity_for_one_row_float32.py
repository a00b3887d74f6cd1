"""torchjd.aggregation:CAGrad(c=0.5) is not identity-for-one-row: A(g) = g for a single row"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[1.0]], dtype=torch.float64), kind='one row'), seed=0)
call = Call(resolve('torchjd.aggregation:CAGrad(c=0.5)').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['identity-for-one-row'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
