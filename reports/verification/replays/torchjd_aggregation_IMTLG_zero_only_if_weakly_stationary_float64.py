"""torchjd.aggregation:IMTLG is not zero-only-if-weakly-stationary: A(J) = 0 only if Jᵀw = 0 for some w ≥ 0, w ≠ 0: a descent stops nowhere else"""

import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies.matrix import Matrix
from jdbench.verification.witnesses import Witness

witness = Witness(matrix=Matrix(J=torch.tensor([[3.196670515523576e+147]], dtype=torch.float64), kind='tiny or huge'), seed=0)
call = Call(resolve('torchjd.aggregation:IMTLG').aggregator, torch.float64)
J = witness.matrix.J
print("J =", J.tolist(), " A(J) =", call(J, witness.seed).tolist())
finding = PROPERTIES['zero-only-if-weakly-stationary'].check(call, witness)
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated)
raise SystemExit(0 if finding.violated else 1)
