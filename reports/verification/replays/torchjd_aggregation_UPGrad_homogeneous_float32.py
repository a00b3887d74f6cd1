"""torchjd.aggregation:UPGrad is not homogeneous: A(cJ) = c·A(J) for every c > 0 and regular J (degree 1)"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[8.0, 0.0, 0.0, 0.0], [0.0, 8.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0], [0.0, 0.0, -1.0, 8.0]], dtype=torch.float64), kind='regular'), seed=0, other_matrix=torch.tensor([[2.220446049250313e-16, 0.0, 0.0, 0.0], [0.0, 2.220446049250313e-16, 0.0, 0.0], [0.0, 0.0, 2.220446049250313e-16, 0.0], [0.0, 0.0, -2.7755575615628914e-17, 2.220446049250313e-16]], dtype=torch.float64), action=torch.tensor([[2.7755575615628914e-17, 0.0, 0.0, 0.0], [0.0, 2.7755575615628914e-17, 0.0, 0.0], [0.0, 0.0, 2.7755575615628914e-17, 0.0], [0.0, 0.0, 0.0, 2.7755575615628914e-17]], dtype=torch.float64))
call = Call(resolve('torchjd.aggregation:UPGrad').aggregator, torch.float32)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['homogeneous'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
