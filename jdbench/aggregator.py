"""What an aggregator is, A: R^(m×n) → Rⁿ ([JD] Section 2.1), how one is named and how any is called."""

import contextlib
import importlib
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from importlib.metadata import entry_points
from typing import Any, ClassVar, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from jdbench.errors import InputError, unknown_name
from jdbench.gramian import combine, gramian
from jdbench.shapes import Gramian, Jacobian, Vector, Weights
from jdbench.spec import build, load, parse

BUILT_IN = "jdbench.aggregators"
ENTRY_POINTS = "jdbench.aggregators"


class Aggregator(ABC):
    """A mapping of Jacobians to directions that takes leading batch dimensions.

    Inherit from it to promise the contract: J of shape ``[..., m, n]`` gives ``[..., n]``, J is never
    changed, randomness comes from the generator alone, and nothing is kept from call to call. Callables that
    promise less are aggregators too; `aggregate` calls those matrix by matrix, runs a copy for each member.

    Example:
        >>> import torch
        >>> from jdbench.aggregator import Aggregator
        >>> class Largest(Aggregator):
        ...     def __call__(self, J, *, generator=None):
        ...         return J.amax(-2)
        >>> Largest()(torch.tensor([[4.0, 0.0], [-1.0, 1.0]]))
        tensor([4., 1.])
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
    """An aggregator A(J) = Jᵀ W(JJᵀ) whose weights depend on the Gramian alone ([JD] eq. 10).

    Example:
        >>> import torch
        >>> from jdbench.aggregator import GramianAggregator
        >>> class Normalized(GramianAggregator):
        ...     def weights(self, G, *, generator=None):
        ...         return 1 / G.diagonal(dim1=-2, dim2=-1).sqrt()
        >>> Normalized()(torch.tensor([[4.0, 0.0], [-3.0, 4.0]])).round(decimals=3)
        tensor([0.4000, 0.8000])
    """

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
        """Return A(J) = Jᵀ W(JJᵀ), computed in float64 and rounded to the dtype of J."""
        return combine(J, self.weights(gramian(J), generator=generator))


@runtime_checkable
class Drawing(Protocol):
    """A random aggregator whose draws can be made beforehand, so that a batch takes draws of many generators.

    Its call, or its `weights` if it is a `GramianAggregator`, takes them as the keyword ``draws``, in the place
    of a generator.

    Example:
        >>> import torch
        >>> from jdbench.aggregator import Drawing
        >>> from jdbench.aggregators import RGW, Mean
        >>> isinstance(RGW(), Drawing), isinstance(Mean(), Drawing)
        (True, False)
        >>> shape = torch.Size([5, 3, 100])  # five Jacobians of three rows, which draw three numbers each
        >>> RGW().draw(shape, device=torch.device("cpu")).shape
        torch.Size([5, 3])
    """

    def draw(
        self, shape: torch.Size, *, device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return what Jacobians of a shape draw.

        Args:
            shape: ``[..., m, n]``.
            device: Where the draws are wanted.
            generator: Source of all randomness; the global one if None.

        Returns:
            Draws, independent along the leading dimensions of the shape, which are theirs too.
        """
        ...


AnyAggregator = Callable[..., Tensor]
"""An `Aggregator`, or any callable that takes a matrix ``[m, n]`` to a vector ``[n]``."""


class Named(NamedTuple):
    """An aggregator and the spec that names it, in its shortest form.

    Example:
        >>> from jdbench.aggregator import resolve
        >>> spec, aggregator = resolve("CAGrad( c = 0.4 )")
        >>> spec
        'CAGrad(c=0.4)'
    """

    spec: str
    aggregator: AnyAggregator


def announced_aggregators() -> dict[str, Callable[[], Any]]:
    """Return the aggregators that installed packages announce, each as a function that loads it.

    A package announces an aggregator by an entry point of the group ``jdbench.aggregators``.

    Example:
        >>> from jdbench.aggregator import announced_aggregators
        >>> "UPGrad" in announced_aggregators()  # ours need no announcement
        False
    """
    return {point.name: point.load for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name)}


def resolve(spec: str) -> Named:
    """Return the aggregator that a spec names, with its canonical spec.

    ``UPGrad`` and ``CAGrad(c=0.4)`` are ours or announced by a package, ``package.module:Name`` and
    ``package.module:Name(key=literal)`` any other; modules are searched in the working directory first. A
    class, or a callable all of whose parameters have defaults, is called to get the aggregator, with the
    keywords if there are any; anything else is taken as it is.

    Raises:
        InputError: The spec does not parse, its module does not import, its keywords do not fit, or it
            names nothing that can be called.
        UnknownNameError: The module holds no such name.

    Example:
        >>> from jdbench.aggregator import resolve
        >>> resolve("UPGrad(preferences=(0.5, 0.5))").aggregator
        UPGrad(preferences=(0.5,0.5))
        >>> resolve("torch:sum").aggregator.__name__
        'sum'
        >>> resolve("UpGrad")
        Traceback (most recent call last):
            ...
        jdbench.errors.UnknownNameError: aggregator='UpGrad', required a known ..., did you mean UPGrad?
    """
    parsed = parse(spec, "aggregator")
    ours = False
    if parsed.module:
        found = load(parsed, spec, "aggregator")
    else:
        module, announced = importlib.import_module(BUILT_IN), announced_aggregators()
        if parsed.name not in {*module.__all__, *announced}:
            raise unknown_name("aggregator", parsed.name, [*module.__all__, *announced])
        ours = parsed.name in module.__all__
        found = getattr(module, parsed.name) if ours else announced[parsed.name]()
    built = build(found, parsed, spec, "aggregator")
    if not callable(built):
        raise InputError(
            f"aggregator={spec!r}, required a callable Tensor[m, n] → Tensor[n], got "
            f"{type(built).__name__}, name a class or a function"
        )
    return Named(repr(built) if ours else str(parsed), cast("AnyAggregator", built))


def is_built_in(spec: str) -> bool:
    """Return whether a spec names an aggregator of ours, whose calls end no process.

    Example:
        >>> from jdbench.aggregator import is_built_in
        >>> is_built_in("CAGrad(c=0.4)"), is_built_in("torch:sum")
        (True, False)
    """
    parsed = parse(spec, "aggregator")
    return not parsed.module and parsed.name in importlib.import_module(BUILT_IN).__all__


def aggregate(aggregator: AnyAggregator, J: Jacobian, *, generator: torch.Generator | None = None) -> Vector:
    """Return A(J) for a batch of Jacobians and any aggregator.

    An `Aggregator` gets the batch whole. Any other callable is called matrix by matrix, with the global
    generators of torch, numpy and Python seeded from ``generator`` around each call and put back after it.
    One that keeps a state goes from matrix to matrix with it; `jdbench.descent` keeps members apart.

    Args:
        aggregator: What to call.
        J: Jacobians, shape ``[..., m, n]``.
        generator: Source of all randomness.

    Returns:
        Directions, shape ``[..., n]``.

    Raises:
        InputError: The callable returned something that is no tensor of shape ``[n]``.

    Example:
        >>> import torch
        >>> from jdbench.aggregator import aggregate
        >>> batch = torch.arange(12.0).reshape(2, 3, 2)
        >>> aggregate(lambda J: J.median(0).values, batch)  # a function of one matrix
        tensor([[2., 3.],
                [8., 9.]])
    """
    if isinstance(aggregator, Aggregator):
        return aggregator(J, generator=generator)
    m, n = J.shape[-2:]
    rows: list[Tensor] = []
    for matrix in J.reshape(-1, m, n):
        with global_generators(generator):
            direction = aggregator(matrix.clone())
        if not isinstance(direction, Tensor) or direction.shape != (n,):  # pyright: ignore[reportUnnecessaryIsInstance]
            got = tuple(direction.shape) if isinstance(direction, Tensor) else type(direction).__name__  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"A(J), required a tensor of shape ({n},), got {got}, mend the aggregator")
        rows.append(direction.detach().to(J))
    return torch.stack(rows).reshape(*J.shape[:-2], n) if rows else J.new_zeros(*J.shape[:-2], n)


@contextlib.contextmanager
def global_generators(generator: torch.Generator | None) -> Generator[None]:
    """Seed the global generators of torch, numpy and Python for a call of a third party, and put them back.

    Args:
        generator: Source of the seed, and the only state that changes.

    Yields:
        Nothing.

    Example:
        >>> import torch
        >>> from jdbench.aggregator import global_generators
        >>> def draw(seed):
        ...     with global_generators(torch.Generator().manual_seed(seed)):
        ...         return torch.rand(3)
        >>> torch.equal(draw(1), draw(1)), torch.equal(draw(1), draw(2))
        (True, False)
    """
    seed = int(torch.randint(2**31, (1,), generator=generator, device=_device(generator)))
    numpy_state = np.random.get_state()  # noqa: NPY002  third parties draw from the global state
    python_state = random.getstate()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def short_repr(self: object) -> str:
    """Return the spec of a frozen dataclass with only the fields that differ from their defaults.

    Example:
        >>> from jdbench.aggregators import CAGrad
        >>> CAGrad(), CAGrad(c=0.4)  # its __repr__
        (CAGrad, CAGrad(c=0.4))
    """
    fields: dict[str, Any] = type(self).__dataclass_fields__  # pyright: ignore[reportAttributeAccessIssue]
    changed = [
        f"{name}={getattr(self, name)!r}".replace(" ", "")
        for name, field in fields.items()
        if getattr(self, name) != field.default
    ]
    return type(self).__name__ + (f"({','.join(changed)})" if changed else "")


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
