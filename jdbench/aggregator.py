"""What an aggregator is, A: R^(m×n) → Rⁿ ([JD] Section 2.1), how one is named, and how any of them is called."""

import ast
import importlib
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from jdbench.errors import InputError, unknown_name
from jdbench.gramian import combine, gramian
from jdbench.shapes import Gramian, Jacobian, Vector, Weights

BUILT_IN = "jdbench.aggregators"


class Aggregator(ABC):
    """A mapping of Jacobians to directions that takes leading batch dimensions.

    Inherit from it to promise the contract: J of shape ``[..., m, n]`` gives ``[..., n]``, J is never
    changed, and randomness comes from the generator alone. Callables that promise less are aggregators
    too; `aggregate` calls those matrix by matrix.
    """

    random: ClassVar[bool] = False
    """Whether A(J) is a random vector."""

    @abstractmethod
    def __call__(self, J: Jacobian, *, generator: torch.Generator | None = None) -> Vector:
        """Return A(J).

        Args:
            J: Jacobian, shape ``[..., m, n]`` with m ≥ 1, finite, entries within 1e±150.
            generator: Source of all randomness; the global one if None.

        Returns:
            Direction, shape ``[..., n]``, dtype and device of J.
        """


class GramianAggregator(Aggregator):
    """An aggregator A(J) = Jᵀ W(JJᵀ) whose weights depend on the Gramian alone ([JD] eq. 10)."""

    @abstractmethod
    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:
        """Return the weights of the rows.

        Args:
            G: Gramian JJᵀ, shape ``[..., m, m]`` with m ≥ 1.
            generator: Source of all randomness; the global one if None.

        Returns:
            Weights, shape ``[..., m]``, float64, on the device of G.
        """

    def __call__(self, J: Jacobian, *, generator: torch.Generator | None = None) -> Vector:
        """Return A(J) = Jᵀ W(JJᵀ), computed in float64 and rounded to the dtype of J.

        Args:
            J: Jacobian, shape ``[..., m, n]`` with m ≥ 1, finite, entries within 1e±150.
            generator: Source of all randomness; the global one if None.

        Returns:
            Direction, shape ``[..., n]``, dtype and device of J.
        """
        return combine(J, self.weights(gramian(J), generator=generator))


AnyAggregator = Callable[..., Tensor]
"""An `Aggregator`, or any callable that takes a matrix ``[m, n]`` to a vector ``[n]``."""


class Named(NamedTuple):
    """An aggregator and the spec that names it, in its shortest form."""

    spec: str
    aggregator: AnyAggregator


def resolve(spec: str) -> Named:
    """Return the aggregator that a spec names.

    ``UPGrad`` and ``CAGrad(c=0.4)`` are ours, ``package.module:Name`` and
    ``package.module:Name(key=literal)`` anybody's; modules are searched in the working directory first. A
    class, or a callable all of whose parameters have defaults, is called to get the aggregator, with the
    keywords if there are any; anything else is taken as it is.

    Args:
        spec: The name.

    Returns:
        The aggregator with its canonical spec.

    Raises:
        InputError: The spec does not parse, its module does not import, its keywords do not fit, or it
            names nothing that can be called.
        UnknownNameError: The module holds no such name.
    """
    path, keywords = _parse(spec)
    module_name, _, name = path.rpartition(":")
    module = _import(module_name or BUILT_IN, spec)
    found = getattr(module, name, None)
    if found is None or (not module_name and name not in module.__all__):
        if module_name:
            raise unknown_name(f"name in {module_name}", name, [n for n in dir(module) if n[0] != "_"])
        raise unknown_name("aggregator", name, module.__all__)
    if inspect.isclass(found) or keywords or _is_factory(found):
        try:
            found = found(**keywords)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"aggregator={spec!r}, required keywords that {name} takes, got {type(error).__name__}: "
                f"{error}, see its documentation"
            ) from error
    if not callable(found):
        raise InputError(
            f"aggregator={spec!r}, required a callable Tensor[m, n] → Tensor[n], got "
            f"{type(found).__name__}, name a class or a function"
        )
    return Named(repr(found) if not module_name else spec.replace(" ", ""), found)


def aggregate(
    aggregator: AnyAggregator, J: Jacobian, *, generator: torch.Generator | None = None
) -> Vector:
    """Return A(J) for a batch of Jacobians and any aggregator.

    An `Aggregator` gets the batch whole. Any other callable is called matrix by matrix, with the global
    generators of torch and numpy seeded from ``generator`` around each call and put back after it.

    Args:
        aggregator: What to call.
        J: Jacobians, shape ``[..., m, n]``.
        generator: Source of all randomness.

    Returns:
        Directions, shape ``[..., n]``.

    Raises:
        InputError: The callable returned something that is no tensor of shape ``[n]``.
    """
    if isinstance(aggregator, Aggregator):
        return aggregator(J, generator=generator)
    m, n = J.shape[-2:]
    rows: list[Tensor] = []
    for matrix in J.reshape(-1, m, n):
        seed = int(torch.randint(2**31, (1,), generator=generator, device=_device(generator)))
        numpy_state = np.random.get_state()  # noqa: NPY002  third parties draw from the global state
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            try:
                direction = aggregator(matrix.clone())
            finally:
                np.random.set_state(numpy_state)  # noqa: NPY002
        if not isinstance(direction, Tensor) or direction.shape != (n,):  # pyright: ignore[reportUnnecessaryIsInstance]
            got = tuple(getattr(direction, "shape", ())) or type(direction).__name__
            raise InputError(f"A(J), required a tensor of shape ({n},), got {got}, mend the aggregator")
        rows.append(direction.detach().to(J))
    return torch.stack(rows).reshape(*J.shape[:-2], n) if rows else J.new_zeros(*J.shape[:-2], n)


def short_repr(aggregator: object) -> str:
    """Return the spec of a frozen dataclass with only the fields that differ from their defaults.

    Args:
        aggregator: An instance of a dataclass.

    Returns:
        Such as ``UPGrad`` or ``CAGrad(c=0.4)``.
    """
    fields: dict[str, Any] = type(aggregator).__dataclass_fields__  # pyright: ignore[reportAttributeAccessIssue]
    changed = [
        f"{name}={getattr(aggregator, name)!r}".replace(" ", "")
        for name, field in fields.items()
        if getattr(aggregator, name) != field.default
    ]
    return type(aggregator).__name__ + (f"({','.join(changed)})" if changed else "")


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device


def _parse(spec: str) -> tuple[str, dict[str, Any]]:
    path, bracket, _ = spec.partition("(")
    path = path.strip()
    if not all(part.isidentifier() for part in path.replace(":", ".").split(".")) or path.count(":") > 1:
        raise InputError(
            f"aggregator={spec!r}, required Name, Name(key=literal) or package.module:Name, got something "
            "else, see `jdbench list aggregators`"
        )
    if not bracket:
        return path, {}
    try:
        call = ast.parse("f" + spec[spec.index("(") :].strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise ValueError("keywords only")
        return path, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"aggregator={spec!r}, required literal keywords such as (c=0.4), got {error}, mend the brackets"
        ) from error


def _import(name: str, spec: str) -> Any:
    here = str(Path.cwd())
    if name != BUILT_IN and here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(
            f"aggregator={spec!r}, required a module that imports, got {type(error).__name__}: {error}, "
            f"try `python -c 'import {name}'`"
        ) from error


def _is_factory(found: Any) -> bool:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(p.default is not p.empty for p in parameters)
