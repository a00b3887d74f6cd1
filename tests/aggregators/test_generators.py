"""Draws come from the generator alone, and their number does not depend on the entries."""

import numpy as np
import pytest
import torch

from support.aggregator_cases import DETERMINISTIC, RANDOM, SPECS, named
from support.tensors import draw, seeded


@pytest.mark.parametrize("spec", SPECS)
def test_the_generator_is_the_only_source_of_randomness(spec: str) -> None:
    A, J = named(spec, 4), draw(3, 4, 5)
    torch.manual_seed(11)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = A(J, generator=seeded(5))
    assert torch.equal(A(J, generator=seeded(5)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert A.random == (not torch.equal(A(J, generator=seeded(6)), first))


@pytest.mark.parametrize("spec", RANDOM)
def test_without_a_generator_the_global_one_is_used(spec: str) -> None:
    A, J = named(spec, 4), draw(3, 4, 5)
    torch.manual_seed(11)
    first = A(J)
    second = A(J)
    torch.manual_seed(11)
    assert torch.equal(A(J), first)
    assert not torch.equal(second, first)


@pytest.mark.parametrize("spec", SPECS)
def test_the_number_of_draws_does_not_depend_on_the_entries(spec: str) -> None:
    # So that draws can be coupled: the same generator state means the same draws for another matrix.
    states = []
    for J in (draw(4, 5), torch.zeros(4, 5, dtype=torch.float64), -draw(4, 5).abs()):
        generator = seeded()
        named(spec, 4)(J, generator=generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
    assert torch.equal(states[0], seeded().get_state()) == (spec in DETERMINISTIC)
