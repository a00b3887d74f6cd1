"""Preference vectors: one positive number a row, in place of the uniform 1/m ([JD] Sections 2.3 and C.10)."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from jdbench.dual_cone import SharedBounds, shared_bounds
from jdbench.errors import InputError
from jdbench.shapes import Gramian


def checked_preferences(preferences: Sequence[float] | None) -> tuple[float, ...] | None:
    """Return the preferences as a tuple, or None, which means 1/m each.

    Raises:
        InputError: One of them is not positive and finite, or there are none.
    """
    if preferences is None:
        return None
    try:
        values = tuple(float(p) for p in preferences)
    except (TypeError, ValueError):
        values = ()
    if not values or not all(0 < p < math.inf for p in values):
        raise InputError(f"preferences={preferences}, required positive finite numbers, one a row, got others")
    return values


def preference_vector(preferences: tuple[float, ...] | None, G: Gramian) -> Tensor:
    """Return the preferences, or 1/m each, as a vector ``[m]`` with the dtype and device of G.

    It is shared between calls: not to be changed.

    Raises:
        InputError: Their number is not m.
    """
    return _vector(preferences, G.shape[-1], G.dtype, G.device)


def preference_bounds(preferences: tuple[float, ...] | None, G: Gramian, *, each: bool) -> SharedBounds:
    """Return the bounds pᵢeᵢ ([JD] eq. 5), ``[m, m]``, if each row has its program, else p, ``[1, m]``.

    Raises:
        InputError: Their number is not m.
    """
    return _bounds(preferences, G.shape[-1], G.dtype, G.device, each)


@lru_cache(maxsize=64)
def _vector(preferences: tuple[float, ...] | None, m: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    if preferences is None:
        return torch.full((m,), 1 / m, dtype=dtype, device=device)
    if len(preferences) != m:
        raise InputError(f"preferences={preferences}, required {m} numbers, got {len(preferences)}, one a row")
    return torch.tensor(preferences, dtype=dtype, device=device)


@lru_cache(maxsize=64)
def _bounds(
    preferences: tuple[float, ...] | None, m: int, dtype: torch.dtype, device: torch.device, each: bool
) -> SharedBounds:
    p = _vector(preferences, m, dtype, device)
    return shared_bounds(torch.diag(p) if each else p.unsqueeze(0))
