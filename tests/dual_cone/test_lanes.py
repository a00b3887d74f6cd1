"""Eight numbers at once: every operation against numpy's, and eight programs in step against each alone."""

from typing import Any

import numpy as np
import pytest

from jdbench import rounding
from jdbench.compiled import compiled
from jdbench.dual_cone.kernels import lanes
from jdbench.dual_cone.kernels.lanes import LANES
from jdbench.dual_cone.kernels.lockstep import solve_in_lockstep
from jdbench.dual_cone.kernels.lockstep_programs import empty_programs
from jdbench.dual_cone.kernels.nonnegative_qp import nonnegative_qp
from jdbench.gramian import gramian, unit_rows
from support.matrix_families import FAMILIES

A = np.array([[1.5, -2.0, 0.0, 4.0, -0.25, 9.0, np.nan, 1e300], [3.0, 2.0, 1.0, 0.5, -1.0, -4.0, 7.0, 2.0]])


@compiled
def every_operation(a: Any, out: Any) -> float:
    x, y = lanes.load(a, 0), lanes.load(a, 1)
    lanes.store(out, 0, lanes.add(x, y))
    lanes.store(out, 1, lanes.sub(x, y))
    lanes.store(out, 2, lanes.mul(x, y))
    lanes.store(out, 3, lanes.divide(x, y))
    lanes.store(out, 4, lanes.absolute(x))
    lanes.store(out, 5, lanes.choose(x, y, lanes.spread(-5.0)))
    lanes.store(out, 6, lanes.inverse_root(lanes.absolute(y)))
    lanes.store(out, 7, lanes.fma(y, y, y))
    return lanes.largest(y)


def test_every_operation_is_numpys() -> None:
    out = np.empty((8, LANES))
    assert every_operation(A, out) == 7.0
    x, y = A
    expected = [
        x + y,
        x - y,
        x * y,
        x / y,
        np.abs(x),
        np.where(x > 0, y, -5.0),
        1 / np.sqrt(np.abs(y)),
        y * y + y,
    ]
    assert np.array_equal(out, expected, equal_nan=True)


@compiled
def gathered(M: Any, indices: Any, out: Any) -> None:
    lanes.store(out, 0, lanes.gather(M, indices, 1, 2))


def test_gather_takes_an_entry_a_lane() -> None:
    rng = np.random.default_rng(0)
    M, indices, out = rng.normal(size=(5, 7)), rng.integers(0, 5, (3, LANES)), np.empty((1, LANES))
    gathered(M, indices, out)
    assert np.array_equal(out[0], M[indices[1], indices[2]])


@pytest.mark.parametrize("family", ["gaussian", "square", "norms over 13 decades"])
def test_eight_programs_in_step_are_solved_as_each_alone(family: str) -> None:
    m = 12
    M = unit_rows(gramian(FAMILIES[family](m, 0))).gramian.numpy()
    programs = empty_programs(m)
    programs.padded[:m, :m] = M
    programs.q[:] = M[:, :LANES]
    solve_in_lockstep(programs)
    assert not programs.wrong.any()
    for lane in range(LANES):
        z, _ = nonnegative_qp(M, M[lane].copy(), 1.0)
        shift = programs.z[:m, lane] - z
        assert shift @ M @ shift <= rounding.cosine(m) * (1 + z.sum()) ** 2
