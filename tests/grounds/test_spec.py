"""Aggregators named by specs: what `resolve` builds of them, and what it refuses."""

import sys
from pathlib import Path

import pytest
import torch

import jdbench.aggregators
from jdbench.aggregator import AnyAggregator, resolve
from jdbench.aggregators import AlignedMTL, CAGrad, UPGrad
from jdbench.errors import InputError, UnknownNameError

MODULE = """
import functools
import torch
from jdbench.aggregators import CAGrad

def mean(J):
    return J.mean(0)

def scaled(J, factor):
    return factor * J.mean(0)

def make(factor=2.0):
    return lambda J: factor * J.mean(0)

def refuse(factor=2.0):
    raise ZeroDivisionError("no factor suits")

class Scaled:
    def __init__(self, factor=3.0, name="a b"):
        self.factor, self.name = factor, name
    def __call__(self, J):
        return self.factor * J.mean(0)

class Needy:
    def __init__(self, factor):
        self.factor = factor

class Module(torch.nn.Module):
    def forward(self, J):
        return 5.0 * J.mean(0)

class Silent:
    pass

module = Module()
instance = CAGrad(c=0.25)
partial = functools.partial(scaled, factor=7.0)
number = 3
_private = mean
"""

J = torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, 2.0]], dtype=torch.float64)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module in the working directory."""
    name = f"aggregators_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return name


@pytest.mark.parametrize("name", jdbench.aggregators.__all__)
def test_a_built_in_name_gives_its_default_instance(name: str) -> None:
    expected = getattr(jdbench.aggregators, name)()
    assert resolve(name) == (name, expected)


@pytest.mark.parametrize("spec", jdbench.aggregators.LEADERBOARD)
def test_the_specs_of_the_leaderboard_are_canonical(spec: str) -> None:
    assert resolve(spec).spec == spec


@pytest.mark.parametrize(
    ("spec", "canonical", "expected"),
    [
        ("CAGrad(c=0.4)", "CAGrad(c=0.4)", CAGrad(0.4)),
        ("  CAGrad ( c = 0.4 ) ", "CAGrad(c=0.4)", CAGrad(0.4)),
        ("CAGrad(c=0.5)", "CAGrad", CAGrad()),
        ("CAGrad()", "CAGrad", CAGrad()),
        ("AlignedMTL(scale='rmse')", "AlignedMTL(scale='rmse')", AlignedMTL(scale="rmse")),
        (
            "UPGrad(trace_regularization=1e-4, preferences=[1, 2])",
            "UPGrad(preferences=(1.0,2.0),trace_regularization=0.0001)",
            UPGrad((1.0, 2.0), 1e-4),
        ),
    ],
)
def test_keywords_build_the_instance_and_the_shortest_spec(
    spec: str, canonical: str, expected: AnyAggregator
) -> None:
    assert resolve(spec) == (canonical, expected)
    assert resolve(canonical) == (canonical, expected)


def test_a_function_is_taken_as_it_is(mine: str) -> None:
    spec, A = resolve(f"{mine}:mean")
    assert spec == f"{mine}:mean"
    assert A is sys.modules[mine].mean


def test_a_callable_whose_parameters_all_have_defaults_is_called(mine: str) -> None:
    assert torch.equal(resolve(f"{mine}:make").aggregator(J), 2.0 * J.mean(0))
    assert torch.equal(resolve(f"{mine}:make(factor=4.0)").aggregator(J), 4.0 * J.mean(0))


def test_a_class_is_called(mine: str) -> None:
    assert torch.equal(resolve(f"{mine}:Scaled").aggregator(J), 3.0 * J.mean(0))
    assert torch.equal(resolve(f"{mine}:Scaled(factor=-1.5)").aggregator(J), -1.5 * J.mean(0))


def test_a_torch_module_is_taken_as_it_is_and_its_class_is_called(mine: str) -> None:
    A = resolve(f"{mine}:module").aggregator
    assert A is sys.modules[mine].module
    assert torch.equal(A(J), 5.0 * J.mean(0))
    assert isinstance(resolve(f"{mine}:Module").aggregator, torch.nn.Module)


def test_an_instance_and_a_partial_are_taken_as_they_are(mine: str) -> None:
    assert resolve(f"{mine}:instance").aggregator == CAGrad(c=0.25)
    assert torch.equal(resolve(f"{mine}:partial").aggregator(J), 7.0 * J.mean(0))


def test_a_dotted_module_is_imported() -> None:
    assert resolve("jdbench.aggregators.upgrad:UPGrad").aggregator == UPGrad()


def test_a_private_name_resolves_when_it_is_asked_for(mine: str) -> None:
    assert resolve(f"{mine}:_private").aggregator is sys.modules[mine].mean


@pytest.mark.parametrize("keywords", ["factor=-1.5", "factor = -1.5", "name='c d'", "name='e  f', factor=1"])
def test_the_canonical_spec_of_a_third_party_resolves_to_the_same(mine: str, keywords: str) -> None:
    spec, A = resolve(f"{mine}:Scaled({keywords})")
    again = resolve(spec)
    assert again.spec == spec
    assert vars(again.aggregator) == vars(A)


@pytest.mark.parametrize(
    ("spec", "near"),
    [
        ("UPgrad", "UPGrad"),
        ("Means", "Mean"),
        ("NashMLT", "NashMTL"),
        ("IMTL_G", "IMTLG"),
        ("CAGrade(c=0.4)", "CAGrad"),
    ],
)
def test_a_misspelt_name_suggests_the_nearest(spec: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"required a known aggregator, .* did you mean {near}\\?"):
        resolve(spec)


@pytest.mark.parametrize("name", ["upgrad", "LEADERBOARD", "preferences", "annotations", "Xyzzy"])
def test_what_is_in_the_package_but_no_aggregator_is_unknown(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"aggregator='{name}'"):
        resolve(name)


def test_a_name_that_a_module_does_not_hold_suggests_the_nearest(mine: str) -> None:
    with pytest.raises(UnknownNameError, match=r"name in aggregators_of_.*='meen'.*did you mean mean\?"):
        resolve(f"{mine}:meen")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        " ",
        "UPGrad CAGrad",
        "UPGrad-1",
        "1UPGrad",
        ":UPGrad",
        "module:",
        "a:b:c",
        "a..b:c",
        "CAGrad(c=0.4",
        "CAGrad(c=0.4))",
        "CAGrad c=0.4)",
        "CAGrad(c=0.4) + 1",
        "CAGrad(c=0.4).weights",
        "CAGrad(c=0.4)(c=0.5)",
        "CAGrad(c=0.4, c=0.5)",
        "CAGrad(c=)",
        "CAGrad(c=x)",
        "CAGrad(c=__import__('os'))",
        "CAGrad(0.4)",
        "CAGrad(*[0.4])",
        "CAGrad(**{'c': 0.4})",
    ],
)
def test_what_is_no_spec_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match=r"^aggregator=.*required .*got "):
        resolve(spec)


def test_a_syntax_error_is_chained() -> None:
    with pytest.raises(InputError) as caught:
        resolve("CAGrad(c=0.4")
    assert isinstance(caught.value.__cause__, SyntaxError)


@pytest.mark.parametrize("spec", ["CAGrad(d=1)", "Mean(c=0.4)"])
def test_keywords_that_do_not_fit_are_refused_with_their_cause(spec: str) -> None:
    with pytest.raises(InputError, match=r"required keywords that .* takes, got TypeError") as caught:
        resolve(spec)
    assert isinstance(caught.value.__cause__, TypeError)


def test_keywords_of_the_wrong_value_keep_the_aggregators_own_message() -> None:
    with pytest.raises(InputError, match=r"^c=-1, required a finite number"):
        resolve("CAGrad(c=-1)")


def test_errors_of_a_third_party_are_chained(mine: str) -> None:
    with pytest.raises(InputError, match="no factor suits") as caught:
        resolve(f"{mine}:refuse")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(InputError, match="factor") as caught:
        resolve(f"{mine}:Needy")
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_module_that_does_not_exist_is_refused_with_its_cause() -> None:
    with pytest.raises(InputError, match="required a module that imports, got ModuleNotFoundError") as caught:
        resolve("no_such_module_anywhere:A")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("source", ["1 / 0", "def broken(:", "import no_such_module_anywhere"])
def test_a_module_that_fails_to_import_is_refused_with_its_cause(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fails_to_import.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    with pytest.raises(InputError, match="required a module that imports") as caught:
        resolve("fails_to_import:A")
    assert isinstance(caught.value.__cause__, ZeroDivisionError | SyntaxError | ModuleNotFoundError)
    assert "fails_to_import" not in sys.modules


@pytest.mark.parametrize(("name", "kind"), [("number", "int"), ("Silent", "Silent")])
def test_what_cannot_be_called_is_refused(mine: str, name: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"required a callable .* got {kind},"):
        resolve(f"{mine}:{name}")
