"""The aggregators of [JD] Table 1, from their definitions in Appendix C."""

from jdbench.aggregators.aligned_mtl import AlignedMTL
from jdbench.aggregators.cagrad import CAGrad
from jdbench.aggregators.dualproj import DualProj
from jdbench.aggregators.graddrop import GradDrop
from jdbench.aggregators.imtl_g import IMTLG
from jdbench.aggregators.mean import Mean
from jdbench.aggregators.mgda import MGDA
from jdbench.aggregators.nash_mtl import NashMTL
from jdbench.aggregators.pcgrad import PCGrad
from jdbench.aggregators.rgw import RGW
from jdbench.aggregators.upgrad import UPGrad
from jdbench.roster import LEADERBOARD as LEADERBOARD

__all__ = [
    "IMTLG",
    "MGDA",
    "RGW",
    "AlignedMTL",
    "CAGrad",
    "DualProj",
    "GradDrop",
    "Mean",
    "NashMTL",
    "PCGrad",
    "UPGrad",
]
