"""torchjd.aggregation:GradDrop is not rotation-equivariant: A(JQ) = A(J)Q for every orthogonal Q and regular J: the coordinates do not matter"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[40.0, 0.0, 0.0], [0.0, 40.0, 0.0], [-5.0, 0.0, 40.0]], dtype=torch.float64), kind='regular'), seed=0, other_matrix=torch.tensor([[-40.0, 0.0, 0.0], [0.0, 40.0, 0.0], [5.0, 0.0, 40.0]], dtype=torch.float64), action=torch.tensor([[-1.0, 0.0, 0.0], [-0.0, 1.0, 0.0], [-0.0, 0.0, 1.0]], dtype=torch.float64))
call = Call(resolve('torchjd.aggregation:GradDrop').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['rotation-equivariant'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
