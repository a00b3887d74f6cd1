"""`parametrize_with_properties`: the properties of one's own aggregators as tests in one's own test file."""

import ast
import contextlib
import copy
import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import torch

from jdbench.aggregator import AnyAggregator
from jdbench.errors import InputError, unknown_name
from jdbench.spec import Spec, build
from jdbench.verification import EXAMPLES
from jdbench.verification.expected_failures import DTYPE_NAMES, ExpectedFailure, read_expected_failures
from jdbench.verification.properties import TABLE_1
from jdbench.verification.pytest.check import Search, Subject, named_subject
from jdbench.verification.session import chosen_properties
from jdbench.verification.verdicts import DTYPES, dtype_name

F = TypeVar("F", bound=Callable[..., object])

Reasons = Mapping[str | tuple[str] | tuple[str, str | torch.dtype], str]
"""Reasons of expected failures by ``property`` or by ``(property, dtype)``."""

Names = tuple[str, ...]

LONGEST_NAME = 60
LARGEST_NUMBER = 2**31
"""Whole numbers from here on may be addresses or hashes, which differ from process to process."""

ATTRIBUTE = "jdbench_parametrization"


@dataclass(frozen=True)
class Parametrization:
    """What a decorated test function is run with.

    Attributes:
        aggregators: Names and makers.
        properties: Names of the properties.
        dtypes: In which the aggregators are called.
        examples: Matrices tried; None for what ``--jdbench-profile`` says.
        expected: Failures that are expected.
    """

    aggregators: tuple[tuple[Names, Callable[[], AnyAggregator]], ...]
    properties: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    examples: int | None
    expected: tuple[ExpectedFailure, ...]

    def subjects(self, search: Search, expected: tuple[ExpectedFailure, ...]) -> list[Subject]:
        """Return a test for each aggregator, property and dtype.

        The decorator's number of examples goes before that of the search; failures that the command line
        expects come on top of its own.
        """
        if self.examples is not None:
            search = Search(self.examples, search.seed, search.replay)
        return [
            Subject(names, make, prop, dtype, search, expected=self.expected + expected)
            for names, make in self.aggregators
            for prop in self.properties
            for dtype in self.dtypes
        ]


def parametrize_with_properties(
    aggregators: Iterable[str | AnyAggregator],
    *,
    claims: Sequence[str] = TABLE_1,
    dtypes: Sequence[torch.dtype] = DTYPES,
    examples: int | None = None,
    expected_failures: Reasons | str | Path | None = None,
) -> Callable[[F], F]:
    """Return a decorator that runs a test function once for each aggregator, property and dtype.

    The function takes ``check`` and calls it::

        @parametrize_with_properties([MyAggregator(), "package.module:Other(c=0.4)"])
        def test_properties(check):
            check()

    Example:
        >>> from jdbench.verification import parametrize_with_properties
        >>> @parametrize_with_properties(["UPGrad", lambda J: J.mean(0)], claims=["weighted"])
        ... def test_properties(check):
        ...     check()
        >>> test_properties.jdbench_parametrization.properties
        ('weighted', 'hygiene')

    Args:
        aggregators: Instances, functions, classes (called without arguments) or specs. Instances are the same
            in all tests, classes and specs are instantiated for each.
        claims: Properties to be verified; hygiene always is.
        dtypes: In which they are called, out of float32 and float64.
        examples: Matrices tried for each; what ``--jdbench-profile`` says, if None.
        expected_failures: Reasons by property or (property, dtype), for all of the aggregators; or a file as
            `jdbench.verification.expected_failures` reads it, relative to the test file. It names an
            aggregator as the tests do, or as ``module:Name``.

    Returns:
        The decorator.

    Raises:
        InputError: There is no aggregator, one is none, or a name is unknown; raised where the test file is
            imported.
    """
    if isinstance(aggregators, str) or not isinstance(aggregators, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"aggregators={aggregators!r}, required a list, got {type(aggregators).__name__}, bracket it"
        )
    made = _told_apart([_maker(aggregator) for aggregator in aggregators])
    if not made:
        raise InputError("aggregators=[], required at least one, got none, pass instances, functions or specs")
    if not dtypes or set(dtypes) - set(DTYPES):
        raise InputError(
            f"dtypes={dtypes}, required torch.float32, torch.float64 or both, got others, leave them"
        )
    if examples is not None and examples < 1:
        raise InputError(f"examples={examples}, required at least 1, got fewer, try {EXAMPLES}")
    properties = tuple(chosen_properties(claims if isinstance(claims, str) else ",".join(claims)))

    def decorate(function: F) -> F:
        if "check" not in inspect.signature(function).parameters:
            raise InputError(
                f"{getattr(function, '__name__', function)}{inspect.signature(function)}, required a parameter "
                "named check, got none, write `def test_properties(check): check()`"
            )
        expected = _expected(expected_failures, properties, Path(inspect.getfile(function)).parent)
        setattr(function, ATTRIBUTE, Parametrization(made, properties, tuple(dtypes), examples, expected))
        return function

    return decorate


def parametrization(function: object) -> Parametrization | None:
    """Return what a test function was decorated with, or None."""
    found = getattr(function, ATTRIBUTE, None)
    return found if isinstance(found, Parametrization) else None


def _told_apart(
    made: Sequence[tuple[Names, Callable[[], AnyAggregator]]],
) -> tuple[tuple[Names, Callable[[], AnyAggregator]], ...]:
    """Number those whose first names are the same, in their order; expected failures may name them without."""
    shared = Counter(names[0] for names, _ in made)
    seen = Counter[str]()
    told: list[tuple[Names, Callable[[], AnyAggregator]]] = []
    for names, make in made:
        seen[names[0]] += 1
        number = (f"{names[0]}#{seen[names[0]]}",) if shared[names[0]] > 1 else ()
        told.append(((*number, *names), make))
    return tuple(told)


def _maker(aggregator: str | AnyAggregator) -> tuple[Names, Callable[[], AnyAggregator]]:
    if isinstance(aggregator, str):
        return named_subject(aggregator)
    if not callable(aggregator):  # pyright: ignore[reportUnnecessaryComparison]
        raise InputError(
            f"aggregator={aggregator!r}, required a callable Tensor[m, n] → Tensor[n] or a spec, got "
            f"{type(aggregator).__name__}, pass an instance, a function, a class or a spec"
        )
    if inspect.isclass(aggregator):
        name = aggregator.__name__
        spec = Spec("", name, {})
        if not callable(build(aggregator, spec, name, "aggregator")):
            raise InputError(
                f"aggregator={name!r}, required instances that can be called, got others, define __call__"
            )
        names = (f"{name}()", f"{aggregator.__module__}:{name}")
        return names, lambda: cast("AnyAggregator", build(aggregator, spec, name, "aggregator"))
    if inspect.isroutine(aggregator):
        name = "lambda" if aggregator.__name__ == "<lambda>" else aggregator.__name__
        return (name, f"{aggregator.__module__}:{name}"), lambda: aggregator
    shown = _shown(aggregator)
    return (shown, f"{type(aggregator).__module__}:{shown.removesuffix('()')}"), lambda: aggregator


def _shown(instance: AnyAggregator) -> str:
    """Return its repr if every process gives the same: workers of pytest-xdist must agree on names of tests.

    That is a call of its class with literals, the same for a copy; sets are sorted. Whatever else a repr holds,
    such as addresses, and what is long, is left out.
    """
    name = type(instance).__name__
    with contextlib.suppress(Exception):
        shown = repr(instance)
        if len(shown) <= LONGEST_NAME:
            canonical = _canonical(shown, name)
            if _canonical(repr(copy.copy(instance)), name) == canonical:
                return canonical
    return f"{name}()"


def _canonical(shown: str, name: str) -> str:
    """Return a repr, its sets sorted; raise an error if it is no call of the name with literals."""
    call = ast.parse(shown, mode="eval").body
    if isinstance(call, ast.Name) and call.id == name:
        return name
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name):
        raise ValueError("no call")
    parts = [_literal(part) for part in call.args]
    parts += [f"{part.arg}={_literal(part.value)}" for part in call.keywords]
    canonical = f"{name}({', '.join(parts)})"
    # Where nothing had to be sorted, as it was written.
    return shown if "{" not in shown and shown.isprintable() else canonical


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "frozenset":
        return f"frozenset({', '.join(_literal(part) for part in node.args)})"
    if isinstance(node, ast.Set):
        return "{" + ", ".join(sorted(_literal(part) for part in node.elts)) + "}"
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return "{" + ", ".join(f"{_literal(key)}: {_literal(value)}" for key, value in pairs if key) + "}"
    if isinstance(node, ast.List | ast.Tuple):
        inner = ", ".join(_literal(part) for part in node.elts)
        return f"[{inner}]" if isinstance(node, ast.List) else f"({inner})"
    value = ast.literal_eval(node)
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) < LARGEST_NUMBER):
        raise ValueError("perhaps an address")
    return repr(value)


def _expected(
    expected: Reasons | str | Path | None, properties: Sequence[str], folder: Path
) -> tuple[ExpectedFailure, ...]:
    if expected is None:
        return ()
    if isinstance(expected, str | Path):
        return read_expected_failures(folder / expected)
    failures = list[ExpectedFailure]()
    for key, reason in expected.items():
        prop, *rest = (key,) if isinstance(key, str) else key
        if prop not in properties:
            raise unknown_name("expected_failures", prop, properties)
        if len(rest) > 1:
            raise InputError(
                f"expected_failures={key!r}, required property or (property, dtype), got more, shorten it"
            )
        dtype = None if not rest else dtype_name(rest[0]) if isinstance(rest[0], torch.dtype) else rest[0]
        if dtype is not None and dtype not in DTYPE_NAMES:
            raise unknown_name("dtype", dtype, DTYPE_NAMES)
        failures.append(ExpectedFailure(prop, reason, None, dtype))
    return tuple(failures)
