"""torchjd.aggregation:AlignedMTL is not scale-invariant: A(cJ) = A(J) for every c > 0 and regular J (degree 0)"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[8.0]], dtype=torch.float64), kind='regular'), seed=0, other_matrix=torch.tensor([[16.0]], dtype=torch.float64), action=torch.tensor([[2.0]], dtype=torch.float64))
call = Call(resolve('torchjd.aggregation:AlignedMTL').aggregator, torch.float64)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['scale-invariant'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
