"""Aggregators are values: frozen, hashable, and what their representation resolves to."""

import dataclasses

import pytest

from jdbench.aggregator import resolve
from jdbench.aggregators import UPGrad
from support.aggregator_cases import SPECS, named


@pytest.mark.parametrize("spec", SPECS)
def test_aggregators_are_frozen_hashable_values(spec: str) -> None:
    A, B = named(spec, 3), named(spec, 3)
    assert A == B
    assert hash(A) == hash(B)
    assert len({A, B, named("Mean", 3)}) == (1 if spec == "Mean" else 2)
    for name in [field.name for field in dataclasses.fields(A)] or ["anything"]:  # pyright: ignore[reportArgumentType]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(A, name, None)


@pytest.mark.parametrize("spec", SPECS)
def test_the_representation_resolves_to_an_equal_aggregator(spec: str) -> None:
    A = named(spec, 3)
    assert " " not in repr(A)
    assert resolve(repr(A)) == (repr(A), A)


def test_preferences_given_as_a_list_are_the_same_value() -> None:
    assert UPGrad(preferences=[1, 2]) == UPGrad(preferences=(1.0, 2.0))  # pyright: ignore[reportArgumentType]
