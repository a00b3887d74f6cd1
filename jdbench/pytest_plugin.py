"""The pytest face of verification: ``--aggregator``, ``--claims``, and the tests in properties/."""

from dataclasses import dataclass
from typing import TypeVar, cast

import pytest
import torch

from jdbench.aggregator import resolve
from jdbench.errors import InputError
from jdbench.examination import DTYPES, chosen_properties
from jdbench.verification.calls import Call
from jdbench.verification.claims import CLAIMS
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1, Witness
from jdbench.verification.verify import Outcome, verify

T = TypeVar("T")

PROFILES = {"default": 100, "thorough": 1000, "nightly": 10_000}
"""Matrices tried for each property and dtype. Where a violation is claimed, ten times as many may be."""


@dataclass(frozen=True)
class Subject:
    """One test: an aggregator, a property, and what is expected of them.

    Attributes:
        spec: The aggregator.
        property: Name of the property.
        dtype: In which it is called.
        examples: Matrices tried.
        counterexample: A violation that must be there; None if the property must survive.
    """

    spec: str
    property: str
    dtype: torch.dtype
    examples: int
    counterexample: Witness | None = None

    def __str__(self) -> str:
        """Return the name under which pytest lists it."""
        return f"{self.spec}-{str(self.dtype).removeprefix('torch.')}"

    def check(self) -> None:
        """Fail unless the search comes out as expected.

        Raises:
            AssertionError: The property was refuted, or the claimed violation is not there.
        """
        prop = PROPERTIES[self.property]
        aggregator = resolve(self.spec).aggregator
        if self.counterexample is not None:
            finding = prop.check(Call(aggregator, self.dtype), self.counterexample)
            assert finding.violated, f"{self.spec}: the fixed counterexample gives {finding}"
        examples = self.examples if self.counterexample is None else 10 * self.examples
        verdict = verify(aggregator, prop, dtype=self.dtype, examples=examples)
        where = f"J = {verdict.witness.matrix.J.tolist()} ({verdict.witness.matrix.kind})"
        if self.counterexample is not None:
            assert verdict.outcome is Outcome.REFUTED, f"{self.spec}: {examples} matrices found no violation"
        elif verdict.outcome is Outcome.BROKEN:
            raise AssertionError(f"{self.spec} is broken: {verdict.message} at {where}")
        else:
            assert verdict.outcome is Outcome.SURVIVED, (
                f"{self.spec} is not {self.property} ({prop.statement}): margin {verdict.margin:.3g} beyond "
                f"rounding, {verdict.tolerance:.1g}, at {where}"
            )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: Pytest's.
    """
    group = parser.getgroup("jdbench", "verification of aggregators")
    group.addoption(
        "--aggregator",
        action="append",
        default=[],
        metavar="SPEC",
        help="verify this aggregator (UPGrad, package.module:Name, …) instead of the built-in ones; repeatable",
    )
    group.addoption(
        "--claims",
        default=",".join(TABLE_1),
        metavar="P,…",
        help="properties claimed for --aggregator, out of %(default)s; hygiene is always verified",
    )
    group.addoption("--profile", default="default", choices=list(PROFILES), help="how long to search")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse unknown names before anything runs.

    Args:
        config: Pytest's.

    Raises:
        pytest.UsageError: An aggregator or a claim is unknown; pytest exits 4 with the line.
    """
    try:
        for spec in _option(config, "--aggregator", list[str]):
            resolve(spec)
        chosen_properties(_option(config, "--claims", str))
    except InputError as error:
        raise pytest.UsageError(str(error)) from error


def _option(config: pytest.Config, name: str, kind: type[T]) -> T:  # noqa: ARG001
    return cast("T", config.getoption(name))


def subjects(config: pytest.Config, name: str) -> list[Subject]:
    """Return what is verified of a property.

    Args:
        config: Pytest's.
        name: The property.

    Returns:
        The given aggregators if the property is claimed for them; without any, ours against Table 1.
    """
    examples = PROFILES[_option(config, "--profile", str)]
    specs = _option(config, "--aggregator", list[str])
    if specs:
        return [
            Subject(spec, name, dtype, examples)
            for spec in dict.fromkeys(specs)
            for dtype in DTYPES
            if name in chosen_properties(_option(config, "--claims", str))
        ]
    if name == HYGIENE:
        ours = dict.fromkeys(claim.aggregator for claim in CLAIMS)
        return [Subject(spec, name, dtype, examples) for spec in ours for dtype in DTYPES]
    return [
        Subject(claim.aggregator, name, dtype, examples, claim.counterexample)
        for claim in CLAIMS
        if claim.prop == name
        for dtype in DTYPES
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that takes a ``subject`` those of the property that its module names.

    Args:
        metafunc: The test function.
    """
    if "subject" in metafunc.fixturenames:
        name = str(getattr(metafunc.module, "PROPERTY", ""))
        metafunc.parametrize("subject", subjects(metafunc.config, name), ids=str)
