"""Compilation of the CPU kernels: numba, with its on-disk cache, and without the interpreter lock."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled to machine code on its first call, or loaded from the cache.

    Args:
        function: A function of numpy arrays and scalars in the subset of Python that numba takes.

    Returns:
        The compiled function, with the same signature.
    """
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))
