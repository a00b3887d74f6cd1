"""torchjd.aggregation:CAGrad(c=0.5) is not permutation-invariant: A(PJ) = A(J) for every permutation P of the rows of a regular J; in law, if it is random"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[8.0, 0.0, 0.0], [0.0, 8.0, 0.0], [0.0, 1.0, 8.0]], dtype=torch.float64), kind='regular'), seed=0, other_matrix=torch.tensor([[8.0, 0.0, 0.0], [0.0, 1.0, 8.0], [0.0, 8.0, 0.0]], dtype=torch.float64))
call = Call(resolve('torchjd.aggregation:CAGrad(c=0.5)').aggregator, torch.float64)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['permutation-invariant'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
