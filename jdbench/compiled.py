"""Compilation of the CPU kernels: numba, with its on-disk cache, and without the interpreter lock."""

import contextlib
import functools
import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled to machine code on its first call, or loaded from the cache.

    Where no folder for the cache can be written, it is compiled in every process, and a warning says so once.

    Args:
        function: A function of numpy arrays and scalars in the subset of Python that numba takes.

    Returns:
        The compiled function, with the same signature.
    """
    return _jitted(function)


def compiled_sums(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled as by `compiled`, its sums in an order that suits vector instructions.

    Which order is settled at compilation: the same arguments give the same result.

    Args:
        function: A function of numpy arrays and scalars in the subset of Python that numba takes.

    Returns:
        The compiled function, with the same signature.
    """
    return _jitted(function, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


def _jitted(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    try:
        kernel = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # neither the package nor the home of whoever runs it can be written
        _warn_of_no_cache()
        kernel = numba.njit(nogil=True, **options)(function)
    return cast("Callable[P, R]", kernel)


@functools.cache
def _warn_of_no_cache() -> None:
    if multiprocessing.parent_process() is None:  # else the parent has said it
        warnings.warn_explicit(
            "kernels are compiled anew in every process, required a folder to keep them in, got none that can "
            "be written, set NUMBA_CACHE_DIR to one",
            RuntimeWarning,
            str(Path(__file__).parent),
            0,
        )


def forget_stale_kernels(package: Path) -> None:
    """Delete the cached kernels that are older than the youngest source of a kernel.

    Numba looks at the file of a kernel alone: when a kernel changes that is called from another file, the old
    code lives on in the caller's cache.

    Args:
        package: Folder of a package.
    """
    sources = [path for path in package.rglob("*.py") if b"@compiled" in path.read_bytes()]
    youngest = max(path.stat().st_mtime for path in sources)
    for index in package.rglob("__pycache__/*.nbi"):
        # Another process may be doing the same, and an installed package may be read-only.
        with contextlib.suppress(OSError):
            if index.stat().st_mtime < youngest:
                index.unlink()


forget_stale_kernels(Path(__file__).parent)
