"""PCGrad is not zero-if-weakly-stationary: A(J) = 0 if Jᵀw = 0 for some w ≥ 0, w ≠ 0: no direction improves all objectives"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]], dtype=torch.float64), kind='strongly stationary', certificate=torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)), seed=0)
call = Call(resolve('PCGrad').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['zero-if-weakly-stationary'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
