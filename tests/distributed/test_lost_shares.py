"""A share that dies in a training over processes is named, in time."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from torch import Tensor

from jdbench.distributed import train_distributed
from jdbench.distributed.processes import GRACE
from jdbench.errors import ShareLostError
from jdbench.problems.distributed import SharesOfDigits, SharesTraining

HERE = Path(__file__).stem


class Dying(SharesOfDigits):
    """Share 1 ends in a given way at step 3, after it has written when."""

    def __init__(self, how: str = "", note: str = "") -> None:
        super().__init__(shares=3 if how == "kill" else 2)
        self.how, self.note = how, note

    def training(self, seed: int) -> SharesTraining:
        started = super().training(seed)
        share = started.share

        def dying(x: Tensor, step: int, index: int) -> tuple[Tensor, Tensor]:
            if (step, index) == (3, 1):
                Path(self.note).write_text(str(time.time()))
                match self.how:
                    case "kill":
                        os.kill(os.getpid(), signal.SIGKILL)
                    case "raise":
                        raise RuntimeError("out of data")
                    case "hang":
                        time.sleep(600)
            return share(x, step, index)

        started.share = dying
        return started


@pytest.mark.parametrize(
    ("how", "patience", "message"),
    [
        ("kill", 60, "rank=1, required to finish, got killed by SIGKILL"),
        pytest.param(
            "raise", 60, "rank=1, required to finish, got RuntimeError: out of data", marks=pytest.mark.long
        ),
        ("hang", 6, "rank=1, required an answer within 6 s, got none"),
    ],
)
def test_a_share_that_dies_is_named_in_time(tmp_path: Path, how: str, patience: float, message: str) -> None:
    note = tmp_path / "note"
    problem = f"{HERE}:Dying(how={how!r},note={str(note)!r})"
    with pytest.raises(ShareLostError, match=message):
        train_distributed(
            problem, "UPGrad", ranks=3 if how == "kill" else 2, rate=0.1, steps=10**6, patience=patience
        )
    # Ten seconds more for a busy machine; a death is not waited out.
    allowed = GRACE + 10 + (patience if how == "hang" else 0)
    assert time.time() - float(note.read_text()) < allowed < 60
    assert not multiprocessing.active_children()
